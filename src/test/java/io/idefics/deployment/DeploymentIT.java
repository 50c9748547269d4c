package io.idefics.deployment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.idefics.IdeficsApplication;
import io.idefics.admission.ApiKey;
import io.idefics.testing.ContractRecorder;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;

/** Boots the server as the container and the chart do, and asks it what they ask. */
class DeploymentIT {

    /** The model is loaded while the server already answers. */
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private static final String KEY = "sk-test-0123456789abcdefghijklmnopqrstuvwxyz";

    @TempDir
    private Path directory;

    @Test
    void chartConfiguration_booted_answersTheProbesOfThePod() throws Exception {
        Chart.Rendered chart = Chart.render("");
        Files.writeString(directory.resolve("application.yml"), chart.application());

        try (ConfigurableApplicationContext server = start(
                "--spring.config.additional-location=" + directory.toUri(),
                "--idefics.access.key-file=" + keyFile(),
                "--management.server.port=0")) {
            String port = server.getEnvironment().getProperty("local.management.port");
            assertThat(port).isNotEqualTo(server.getEnvironment().getProperty("local.server.port"));
            for (String probe : new String[] {"startupProbe", "readinessProbe", "livenessProbe"}) {
                String path = chart.container().text(probe, "httpGet", "path");
                await().atMost(PATIENCE).untilAsserted(() -> assertThat(status("http://127.0.0.1:" + port + path))
                        .as(probe)
                        .isEqualTo(200));
            }
        }
    }

    @Test
    void healthcheck_ofTheImage_isAnswered() throws Exception {
        URI health = URI.create(Dockerfile.read().healthUrl());

        try (ConfigurableApplicationContext server = start(
                "--spring.profiles.active=production",
                "--idefics.access.key-file=" + keyFile(),
                "--management.server.port=0")) {
            assertThat(server.getEnvironment().getProperty("management.endpoint.health.probes.enabled"))
                    .isEqualTo("true");
            String port = server.getEnvironment().getProperty("local.management.port");
            await().atMost(PATIENCE)
                    .untilAsserted(() -> assertThat(status("http://127.0.0.1:" + port + health.getPath()))
                            .isEqualTo(200));
        }
    }

    @Test
    void image_withoutKeys_refusesToStart() {
        assertThatThrownBy(() -> startAt("0.0.0.0", "--spring.profiles.active=production"))
                .hasStackTraceContaining("The server would listen on 0.0.0.0 without any API key.");
    }

    @Test
    void productionProfile_ports_areForClientsAndForOperators() throws Exception {
        try (ConfigurableApplicationContext server = start(
                "--spring.profiles.active=production",
                "--idefics.access.key-file=" + keyFile(),
                "--management.server.port=0")) {
            String clients = "http://127.0.0.1:" + server.getEnvironment().getProperty("local.server.port");
            String operators = "http://127.0.0.1:" + server.getEnvironment().getProperty("local.management.port");

            for (String path : new String[] {
                "/actuator/health", "/actuator/metrics", "/v3/api-docs", "/swagger-ui.html", "/swagger-ui/index.html"
            }) {
                assertThat(status(clients + path)).as(path).isEqualTo(401);
            }
            assertThat(status(clients + "/v3/api-docs", KEY)).isEqualTo(404);
            assertThat(status(clients + "/actuator/metrics", KEY)).isEqualTo(403);
            await().atMost(PATIENCE).untilAsserted(() -> assertThat(status(operators + "/actuator/health"))
                    .isEqualTo(200));
            for (String path : new String[] {
                "/actuator/metrics/idefics.access.refused",
                "/actuator/models",
                "/actuator/openapi",
                "/actuator/swagger-ui/index.html"
            }) {
                assertThat(status(operators + path)).as(path).isEqualTo(200);
            }
            for (String path :
                    new String[] {"/v1/models", "/v1;x=y/models", "/info", "/", "/v3/api-docs", "/actuator/env"}) {
                assertThat(status(operators + path)).as(path).isEqualTo(404);
                assertThat(status(operators + path, KEY)).as(path).isEqualTo(404);
            }
            // The contract is that of the other port.
            assertThat(ContractRecorder.takeViolations()).allMatch(violation -> violation.contains(" 404: "));
            assertThat(body(operators + "/actuator/health")).contains("\"keys\":1");
        }
    }

    @Test
    void managementKeys_asked_areNeededOnThePortOfOperatorsButForTheProbes() throws Exception {
        try (ConfigurableApplicationContext server = start(
                "--spring.profiles.active=production",
                "--idefics.access.key-file=" + keyFile(),
                "--idefics.access.management-keys=true",
                "--management.server.port=0")) {
            String operators = "http://127.0.0.1:" + server.getEnvironment().getProperty("local.management.port");

            assertThat(status(operators + "/actuator/health/liveness")).isEqualTo(200);
            for (String path : new String[] {"/actuator/health", "/actuator/metrics", "/actuator/openapi"}) {
                assertThat(status(operators + path)).as(path).isEqualTo(401);
                assertThat(status(operators + path, KEY)).as(path).isEqualTo(403);
            }
        }
    }

    /** A file with one key. */
    private Path keyFile() throws IOException {
        return Files.writeString(
                directory.resolve("keys.yml"), "keys: [{name: test, hash: '" + ApiKey.hashOf(KEY) + "'}]");
    }

    private static ConfigurableApplicationContext start(String... arguments) {
        return startAt("127.0.0.1", arguments);
    }

    private static ConfigurableApplicationContext startAt(String address, String... arguments) {
        return new SpringApplicationBuilder(IdeficsApplication.class)
                .run(Stream.concat(Stream.of("--server.port=0", "--server.address=" + address), Stream.of(arguments))
                        .toArray(String[]::new));
    }

    private static int status(String url, String... key) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url));
        for (String one : key) {
            request.header("Authorization", "Bearer " + one);
        }
        return HttpClient.newHttpClient()
                .send(request.build(), BodyHandlers.discarding())
                .statusCode();
    }

    private static String body(String url) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url)).build();
        return HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body();
    }
}
