package io.idefics.deployment;

import com.marcnuri.helm.Helm;
import com.marcnuri.helm.LintResult;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.yaml.snakeyaml.Yaml;

/** The Helm chart, rendered by Helm itself. */
final class Chart {

    /** The Secret with the keys. */
    static final String KEYS = "test-keys";

    private static final Path DIRECTORY = Path.of("helm");

    private Chart() {}

    /** What {@code helm lint --strict} finds. */
    static LintResult lint() {
        return new Helm(DIRECTORY).lint().strict().call();
    }

    /** The resources of a release named {@code test}, with these values in YAML over the default ones. */
    static Rendered render(String values) {
        return new Rendered(documents(template(values)));
    }

    /** What {@code helm template} prints; the keys are in a Secret unless the values say something of keys. */
    static String template(String values) {
        return templateAsIs(
                values.contains("apiKeys:") ? values : "apiKeys: {existingSecret: " + KEYS + "}\n" + values);
    }

    /** The same with nothing but these values. */
    static String templateAsIs(String values) {
        try {
            Path file = Files.createTempFile("values", ".yaml");
            try {
                Files.writeString(file, values);
                return new Helm(DIRECTORY)
                        .template()
                        .withName("test")
                        .withValuesFile(file)
                        .call();
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The default values. */
    static Map<String, Object> values() {
        try {
            return new Yaml().load(Files.readString(DIRECTORY.resolve("values.yaml")));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<Node> documents(String yaml) {
        return StreamSupport.stream(new Yaml().loadAll(yaml).spliterator(), false)
                .flatMap(document -> document == null ? Stream.empty() : Stream.of(new Node(document)))
                .toList();
    }

    /** Rendered resources. */
    record Rendered(List<Node> resources) {

        /** The kinds, in rendered order. */
        List<String> kinds() {
            return resources.stream().map(resource -> resource.text("kind")).toList();
        }

        /** The one resource of that kind. */
        Node only(String kind) {
            List<Node> found = resources.stream()
                    .filter(resource -> resource.text("kind").equals(kind))
                    .toList();
            if (found.size() != 1) {
                throw new NoSuchElementException(found.size() + " resources of kind " + kind + " in " + kinds());
            }
            return found.get(0);
        }

        /** The pod that the Deployment runs. */
        Node pod() {
            return only("Deployment").at("spec", "template", "spec");
        }

        /** The one container of that pod. */
        Node container() {
            return pod().at("containers", 0);
        }

        /** The text of application.yml. */
        String application() {
            return only("ConfigMap").at("data").text("application.yml");
        }
    }

    /** A value in a YAML document. */
    record Node(Object value) {

        /** The value below, by keys of mappings and positions in sequences; the value null when there is none. */
        Node at(Object... path) {
            Object at = value;
            for (Object step : path) {
                if (at instanceof Map<?, ?> map) {
                    at = map.get(step);
                } else if (at instanceof List<?> list && step instanceof Integer index && index < list.size()) {
                    at = list.get(index);
                } else {
                    at = null;
                }
            }
            return new Node(at);
        }

        /** The value below, as text. */
        String text(Object... path) {
            return String.valueOf(at(path).value);
        }

        /** The elements of a sequence, by their name. */
        Map<String, Node> named() {
            Map<String, Node> named = new LinkedHashMap<>();
            for (Object element : (List<?>) value) {
                Node node = new Node(element);
                named.put(node.text("name"), node);
            }
            return named;
        }
    }
}
