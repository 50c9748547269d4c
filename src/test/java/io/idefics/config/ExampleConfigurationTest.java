package io.idefics.config;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.yaml.snakeyaml.Yaml;

/** Keeps config/application.yml harmless, complete and true. */
class ExampleConfigurationTest {

    private static final Path EXAMPLE = Path.of("config/application.yml");

    @Test
    void example_asShipped_setsNothing() throws IOException {
        assertThat((Object) new Yaml().load(Files.readString(EXAMPLE))).isNull();
    }

    @Test
    void example_uncommented_hasEveryPropertyWithItsDefault() throws IOException {
        Map<String, Object> example = settings();

        assertThat(example).containsKey("idefics.models").containsEntry("server.port", "8080");
        for (Map.Entry<String, String> property : properties().entrySet()) {
            assertThat(example).containsKey(property.getKey());
            if (!property.getValue().isEmpty()) {
                assertThat(example).containsEntry(property.getKey(), property.getValue());
            }
        }
    }

    /** The settings of the example by full name, lists as their elements with commas between. */
    private static Map<String, Object> settings() throws IOException {
        String uncommented = Files.readAllLines(EXAMPLE).stream()
                .filter(line -> line.matches("#\\S.*|# {2,}.*"))
                .map(line -> line.substring(1))
                .collect(Collectors.joining("\n"));
        Map<String, Object> settings = new TreeMap<>();
        flatten("", new Yaml().load(uncommented), settings);
        return settings;
    }

    private static void flatten(String prefix, Map<String, Object> level, Map<String, Object> settings) {
        level.forEach((key, value) -> {
            if (value instanceof Map<?, ?> below) {
                Map<String, Object> copy = new LinkedHashMap<>();
                below.forEach((name, inner) -> copy.put(String.valueOf(name), inner));
                flatten(prefix + key + ".", copy, settings);
            } else if (value instanceof List<?> list) {
                settings.put(prefix + key, list.stream().map(String::valueOf).collect(Collectors.joining(",")));
            } else {
                settings.put(prefix + key, String.valueOf(value));
            }
        });
    }

    /** The server's own properties by full name with their default values, empty where there is none. */
    private static Map<String, String> properties() throws IOException {
        Map<String, String> properties = new TreeMap<>();
        Enumeration<URL> documents = ExampleConfigurationTest.class
                .getClassLoader()
                .getResources("META-INF/spring-configuration-metadata.json");
        while (documents.hasMoreElements()) {
            for (JsonNode property :
                    new ObjectMapper().readTree(documents.nextElement()).path("properties")) {
                String name = property.path("name").asText();
                if (name.startsWith("idefics.")) {
                    properties.put(name, text(property.path("defaultValue")));
                }
            }
        }
        return properties;
    }

    private static String text(JsonNode value) {
        return (value.isArray() ? value.toString() : value.asText()).replaceAll("[\\[\\]\" ]", "");
    }
}
