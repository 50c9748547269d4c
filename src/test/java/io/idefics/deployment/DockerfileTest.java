package io.idefics.deployment;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.xpath.XPathFactory;
import org.junit.jupiter.api.Test;
import org.yaml.snakeyaml.Yaml;

/** Checks of the Dockerfile what can be checked without building it. */
class DockerfileTest {

    private final Dockerfile dockerfile = Dockerfile.read();

    @Test
    void stages_lastOne_runsOnTheRuntimeOnly() {
        List<String> stages = dockerfile.all("FROM");

        assertThat(stages).hasSizeGreaterThan(2);
        assertThat(stages.get(stages.size() - 1)).isEqualTo("runtime AS cpu");
        assertThat(stages).contains("${JAVA_IMAGE} AS runtime", "runtime AS cuda");
        assertThat(dockerfile.globalArguments().get("JAVA_IMAGE"))
                .contains("17")
                .contains("-jre");
    }

    @Test
    void baseImages_all_haveAnExactTag() {
        assertThat(dockerfile.globalArguments())
                .allSatisfy((name, image) -> assertThat(image).matches("[a-z-]+:\\d+\\.\\d+\\.\\d+[\\w.-]+"));
        assertThat(dockerfile.all("FROM"))
                .allMatch(from -> from.matches("\\$\\{(JAVA|MAVEN)_IMAGE} AS .*|(build|runtime) AS .*"));
    }

    @Test
    void runtime_user_isNumericAndNotRoot() {
        assertThat(dockerfile.all("USER")).containsExactly("10001:10001");
        assertThat(dockerfile.all("runtime", "USER")).hasSize(1);
    }

    @Test
    void runtime_entrypoint_isJavaItself() {
        assertThat(dockerfile.all("ENTRYPOINT")).singleElement().asString().startsWith("[\"java\", ");
        assertThat(dockerfile.all("CMD")).isEmpty();
        assertThat(dockerfile.all("runtime", "EXPOSE")).containsExactly("8080 8081");
    }

    @Test
    void runtime_healthcheck_asksForReadinessWithoutAShell() {
        assertThat(dockerfile.all("runtime", "HEALTHCHECK"))
                .singleElement()
                .asString()
                .contains("CMD [\"curl\", ");
        assertThat(dockerfile.healthUrl()).isEqualTo("http://127.0.0.1:8081/actuator/health/readiness");
    }

    @Test
    void runtime_server_isForOthersAndHasAManagementPort() {
        assertThat(String.join(" ", dockerfile.all("runtime", "ENV")))
                .contains("SPRING_PROFILES_ACTIVE=production", "SERVER_ADDRESS=0.0.0.0");
    }

    @Test
    void runtime_memory_leavesMostToNativeCode() {
        Matcher heap = Pattern.compile("-XX:MaxRAMPercentage=(\\d+)")
                .matcher(String.join(" ", dockerfile.all("runtime", "ENV")));

        assertThat(heap.find()).isTrue();
        assertThat(Integer.parseInt(heap.group(1))).isBetween(20, 60);
    }

    @Test
    void runtime_djl_isQuiet() {
        assertThat(String.join(" ", dockerfile.all("runtime", "ENV")))
                .contains("OPT_OUT_TRACKING=true", "DJL_CACHE_DIR=/tmp/", "PYTORCH_LIBRARY_PATH=/opt/libtorch");
        assertThat(dockerfile.all("ENTRYPOINT").get(0)).contains("\"-Dai.djl.offline=true\"");
    }

    @Test
    void copies_fromTheContext_exist() throws Exception {
        List<String> allowed = Files.readAllLines(Path.of(".dockerignore"));
        List<String> copies = dockerfile.all("COPY").stream()
                .filter(copy -> !copy.contains("--from="))
                .toList();

        assertThat(copies).isNotEmpty();
        for (String copy : copies) {
            String[] words = copy.split(" ");
            for (String source : List.of(words).subList(0, words.length - 1)) {
                assertThat(Path.of(source)).exists();
                assertThat(allowed).anyMatch(line -> line.startsWith("!" + source));
            }
        }
    }

    @Test
    void versions_everywhere_areThoseOfThePom() throws Exception {
        Map<String, Object> chart = new Yaml().load(Files.readString(Path.of("helm/Chart.yaml")));
        String environment = String.join(" ", dockerfile.all("runtime", "ENV"));
        String labels = String.join(" ", dockerfile.all("runtime", "LABEL"));

        assertThat(chart.get("appVersion")).isEqualTo(pom("/project/version"));
        assertThat(labels).contains("image.version=\"" + pom("/project/version") + "\"");
        assertThat(environment).contains("PYTORCH_VERSION=" + pom("/project/properties/pytorch.version"));
        assertThat(String.join(" ", dockerfile.all("libtorch-cuda", "ARG")))
                .contains("-" + pom("/project/properties/pytorch.version") + "%2Bcu128.zip");
        assertThat(String.join(" ", dockerfile.all("cuda", "ENV"))).contains("PYTORCH_FLAVOR=cu128");
    }

    private static String pom(String xpath) throws Exception {
        var document = DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(Path.of("pom.xml").toFile());
        String value = XPathFactory.newInstance().newXPath().evaluate(xpath, document);
        assertThat(value).as(xpath).isNotEmpty();
        return value;
    }
}
