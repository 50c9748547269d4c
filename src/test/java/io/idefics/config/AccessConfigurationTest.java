package io.idefics.config;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.admission.AccessPolicy;
import io.idefics.admission.ApiKey;
import io.idefics.admission.ApiKeys;
import io.idefics.admission.ClientLimits;
import io.idefics.admission.Scope;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.autoconfigure.web.ServerProperties;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

/** What can be configured, and what is refused at start. */
class AccessConfigurationTest {

    private static final String HASH = ApiKey.hashOf("secret");

    @EnableConfigurationProperties(ServerProperties.class)
    static class Server {}

    private final ApplicationContextRunner server = new ApplicationContextRunner()
            .withUserConfiguration(AccessConfiguration.class, Server.class)
            .withPropertyValues("server.address=127.0.0.1");

    @Test
    void start_nothingConfigured_isOpenOnLoopback() {
        server.run(context -> {
            assertThat(context).hasNotFailed();
            assertThat(context.getBean(AccessPolicy.class).anonymousScopes())
                    .isEqualTo(Set.of(Scope.INFERENCE, Scope.ADMIN));
        });
    }

    @Test
    void start_keys_areBoundWithTheirDefaults() {
        server.withPropertyValues(
                        "server.address=0.0.0.0",
                        "idefics.access.keys[0].name=a",
                        "idefics.access.keys[0].hash=" + HASH,
                        "idefics.access.keys[0].limits.requests-per-minute=7")
                .run(context -> {
                    assertThat(context.getBean(AccessPolicy.class).required()).isTrue();
                    assertThat(context.getBean(ApiKeys.class).find("secret")).hasValueSatisfying(caller -> {
                        assertThat(caller.scopes()).isEqualTo(Set.of(Scope.INFERENCE));
                        assertThat(caller.limits()).isEqualTo(new ClientLimits(7, null, null, null));
                    });
                });
    }

    @Test
    void start_noWebServer_needsNoKeys() {
        new ApplicationContextRunner()
                .withUserConfiguration(AccessConfiguration.class)
                .run(context -> assertThat(context).hasNotFailed());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "server.address=0.0.0.0|The server would listen on 0.0.0.0 without any API key. Make a key with 'java -jar"
                        + " idefics-server.jar key --name NAME' and add it to idefics.access.keys or"
                        + " idefics.access.key-file, or set idefics.access.require-keys=false to let everybody in.",
                "server.address=::|The server would listen on 0:0:0:0:0:0:0:0 without any API key.",
                "server.address=|The server would listen on all addresses without any API key.",
                "idefics.access.require-keys=true|idefics.access.require-keys is true but there is no API key.",
                "idefics.access.require-keys=maybe|The configuration is wrong: idefics.access.require-keys is 'maybe' but"
                        + " must be of the type boolean.",
                "idefics.access.requirekey=true|The configuration is wrong: there is no property idefics.access.requirekey.",
                "idefics.access.keys=|idefics.access.keys is empty: add a key or remove it.",
                "idefics.access.keys[0].key=sk-secret|The configuration is wrong: there is no property"
                        + " idefics.access.keys[0].key.",
                "idefics.access.keys[0].name=a|idefics.access.keys[0].hash (a) is missing",
                "idefics.access.keys=sk-secret|The configuration is wrong: idefics.access.keys",
                "idefics.access.key-file=|idefics.access.key-file is empty",
                "idefics.access.key-file=nowhere.yml|The key file nowhere.yml does not exist.",
                "management.endpoints.web.base-path=/|management.endpoints.web.base-path is the root"
            })
    void start_wrongAccess_isRefusedInOneLine(String property, String message) {
        server.withUserConfiguration(Actuator.class)
                .withPropertyValues(property)
                .run(context -> {
                    assertThat(context).hasFailed();
                    FailureAnalysis analysis = new AccessFailureAnalyzer().analyze(context.getStartupFailure());
                    assertThat(analysis).isNotNull();
                    assertThat(analysis.getDescription()).startsWith(message).doesNotContain("\n", "sk-secret");
                });
    }

    @EnableConfigurationProperties(
            org.springframework.boot.actuate.autoconfigure.endpoint.web.WebEndpointProperties.class)
    static class Actuator {}

    @Test
    void start_inlineAndFileKeysOfTheSameName_areRefused(@TempDir Path directory) throws Exception {
        Path file = java.nio.file.Files.writeString(
                directory.resolve("keys.yml"), "keys: [{name: a, hash: '" + ApiKey.hashOf("other") + "'}]");

        server.withPropertyValues(
                        "idefics.access.key-file=" + file,
                        "idefics.access.keys[0].name=a",
                        "idefics.access.keys[0].hash=" + HASH)
                .run(context -> assertThat(new AccessFailureAnalyzer()
                                .analyze(context.getStartupFailure())
                                .getDescription())
                        .isEqualTo("Two API keys have the name 'a'."));
    }

    @Test
    void analyze_otherFailures_areLeftToOthers() {
        assertThat(new AccessFailureAnalyzer().analyze(new IllegalStateException("x")))
                .isNull();
    }
}
