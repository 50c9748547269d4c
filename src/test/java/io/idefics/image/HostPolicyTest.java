package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.idefics.generation.GenerationException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HostPolicyTest {

    private static final String HOST = "the host of the image URL is not allowed";
    private static final String ADDRESS = "the address of the image URL is not allowed";

    @ParameterizedTest
    @ValueSource(strings = {"http://good.test/", "https://good.test/", "http://8.8.8.8/", "http://[2001:4860::8888]/"})
    void check_publicHost_isAllowed(String url) {
        assertThat(refusal(policy(), url)).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://foo.localhost/",
                "http://printer.local/",
                "http://metadata.google.internal./",
                "http://x.onion/",
                "http://nas.home.arpa/",
                "http://a.localdomain/"
            })
    void check_zoneWithoutPublicHosts_isNotLookedUp(String url) {
        assertThat(refusal(policy(), url)).isEqualTo(HOST);
        assertThat(refusal(policy("allowed-addresses", "127.0.0.0/8"), url)).isEqualTo(HOST);
    }

    @ParameterizedTest
    @ValueSource(strings = {"http://10.0.0.1/", "http://[::1]/", "http://[::ffff:7f00:1]/", "http://169.254.169.254/"})
    void check_forbiddenAddress_isRefused(String url) {
        assertThat(refusal(policy(), url)).isEqualTo(ADDRESS);
    }

    @Test
    void check_trustedHost_mayHaveAPortOfItsOwn() {
        HostPolicy policy = policy("trusted-hosts", "minio:9000,*.images.internal,10.0.0.5:8080");

        assertThat(refusal(policy, "http://minio:9000/a")).isEmpty();
        assertThat(refusal(policy, "http://a.images.internal/a")).isEmpty();
        assertThat(refusal(policy, "http://10.0.0.5:8080/a")).isEmpty();
        assertThat(refusal(policy, "http://minio:9001/a"))
                .isEqualTo("the port of the image URL is 9001; allowed are [80, 443]");
        assertThat(refusal(policy, "http://a.images.internal:9000/a")).contains("port");
        assertThat(refusal(policy, "http://good.test:9000/a")).contains("port");
        assertThat(refusal(policy, "http://10.0.0.5/a")).isEqualTo(ADDRESS);
        assertThat(refusal(policy, "http://images.internal/a")).isEqualTo(HOST);
        assertThat(refusal(policy, "http://redis:9000/a")).isEqualTo("the image URL has no valid host");
    }

    @Test
    void allows_addressOfATrustedHost_isJudgedByItsPort() {
        HostPolicy policy = policy("trusted-hosts", "minio:9000");

        assertThat(allows(policy, "http://minio:9000/", "10.0.0.9")).isTrue();
        assertThat(allows(policy, "http://minio/", "10.0.0.9")).isFalse();
        assertThat(allows(policy, "http://minio:9000/", "169.254.169.254")).isFalse();
        assertThat(allows(policy, "http://good.test/", "10.0.0.9")).isFalse();
    }

    @Test
    void check_allowedHosts_areTheOnlyOnesBesideTheTrusted() {
        HostPolicy policy = policy("allowed-hosts", "a.test,*.b.test", "trusted-hosts", "minio:9000");

        assertThat(refusal(policy, "http://a.test/")).isEmpty();
        assertThat(refusal(policy, "http://x.b.test/")).isEmpty();
        assertThat(refusal(policy, "http://minio:9000/")).isEmpty();
        assertThat(refusal(policy, "http://b.test/")).isEqualTo(HOST);
        assertThat(refusal(policy, "http://xb.test/")).isEqualTo(HOST);
        assertThat(refusal(policy, "http://a.test.evil.test/")).isEqualTo(HOST);
        assertThat(refusal(policy, "http://8.8.8.8/")).isEqualTo(HOST);
    }

    @Test
    void check_deniedHost_isRefusedWhateverElseIsSaid() {
        HostPolicy policy = policy(
                "denied-hosts",
                "evil.test,*.evil.test,8.8.8.8",
                "allowed-hosts",
                "*.test",
                "trusted-hosts",
                "a.evil.test");

        assertThat(refusal(policy, "http://good.test/")).isEmpty();
        assertThat(refusal(policy, "http://evil.test./")).isEqualTo(HOST);
        assertThat(refusal(policy, "http://A.Evil.test/")).isEqualTo(HOST);
        assertThat(refusal(policy("denied-hosts", "8.8.8.8"), "http://8.8.8.8/"))
                .isEqualTo(HOST);
        assertThat(refusal(policy("denied-addresses", "8.8.8.0/24"), "http://8.8.8.8/"))
                .isEqualTo(ADDRESS);
    }

    @ParameterizedTest
    @CsvSource({
        "allowed-hosts, a.test:80, or *.example.com",
        "denied-hosts, http://a.test, or *.example.com",
        "trusted-hosts, a.*.test, or minio:9000",
        "trusted-hosts, '*', or minio:9000"
    })
    void create_malformedHost_isRefused(String key, String host, String help) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> policy(key, host))
                .withMessageStartingWith("idefics.image." + key + " has \"" + host + "\"; a host is needed")
                .withMessageEndingWith(help);
    }

    private static HostPolicy policy(String... keysAndValues) {
        Map<String, String> values = new HashMap<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            values.put("idefics.image." + keysAndValues[i], keysAndValues[i + 1]);
        }
        return new HostPolicy(ImagePropertiesTest.bind(values));
    }

    /** Why a URL is refused; empty if it is not. */
    private static String refusal(HostPolicy policy, String url) {
        try {
            policy.check(ImageUrl.parse(url, policy.plainNames(), "url"), "url");
            return "";
        } catch (GenerationException e) {
            return String.valueOf(e.getMessage());
        }
    }

    private static boolean allows(HostPolicy policy, String url, String address) {
        try {
            return policy.allows(ImageUrl.parse(url, policy.plainNames(), "url"), InetAddress.getByName(address));
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException(e);
        }
    }
}
