package io.idefics.deployment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.idefics.IdeficsApplication;
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

    @TempDir
    private Path directory;

    @Test
    void chartConfiguration_booted_answersTheProbesOfThePod() throws Exception {
        Chart.Rendered chart = Chart.render("");
        Files.writeString(directory.resolve("application.yml"), chart.application());

        try (ConfigurableApplicationContext server =
                start("--spring.config.additional-location=" + directory.toUri(), "--management.server.port=0")) {
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

        try (ConfigurableApplicationContext server = start("--management.endpoint.health.probes.enabled=true")) {
            String port = server.getEnvironment().getProperty("local.server.port");
            await().atMost(PATIENCE)
                    .untilAsserted(() -> assertThat(status("http://127.0.0.1:" + port + health.getPath()))
                            .isEqualTo(200));
        }
    }

    private static ConfigurableApplicationContext start(String... arguments) {
        return new SpringApplicationBuilder(IdeficsApplication.class)
                .run(Stream.concat(Stream.of("--server.port=0"), Stream.of(arguments))
                        .toArray(String[]::new));
    }

    private static int status(String url) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url)).build();
        return HttpClient.newHttpClient()
                .send(request, BodyHandlers.discarding())
                .statusCode();
    }
}
