package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ImageUrlTest {

    @ParameterizedTest
    @CsvSource({
        "http://good.test/a.png, http://good.test/a.png, good.test, 80",
        "HTTP://Good.TEST:80/A.png, http://good.test/A.png, good.test, 80",
        "https://good.test:443, https://good.test/, good.test, 443",
        "https://good.test:8443/a?b=c%2F#d, https://good.test:8443/a?b=c%2F, good.test, 8443",
        "http://good.test./a.png, http://good.test/a.png, good.test, 80",
        "http://good.test?x=1, http://good.test/?x=1, good.test, 80",
        "http://good.test#@127.0.0.1/a.png, http://good.test/, good.test, 80",
        "http://good.test/../@127.0.0.1/, http://good.test/../@127.0.0.1/, good.test, 80",
        "http://good.test/%0d%0aX:%201, http://good.test/%0d%0aX:%201, good.test, 80",
        "http://good.test/a%2520b.png, http://good.test/a%2520b.png, good.test, 80",
        "http://127.0.0.1.good.test/, http://127.0.0.1.good.test/, 127.0.0.1.good.test, 80",
        "http://0x.test/, http://0x.test/, 0x.test, 80",
        "http://8.8.8.8/a.png, http://8.8.8.8/a.png, 8.8.8.8, 80",
        "http://[2001:4860:4860::8888]:81/, http://[2001:4860:4860::8888]:81/, [2001:4860:4860::8888], 81",
    })
    void parse_plainUrl_hasItsParts(String text, String uri, String host, int port) {
        ImageUrl url = parse(text);

        assertThat(url.uri()).hasToString(uri);
        assertThat(url.host()).isEqualTo(host);
        assertThat(url.port()).isEqualTo(port);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "ftp://good.test/a",
                "file:///etc/passwd",
                "ws://good.test/",
                "jar:http://good.test!/a",
                "http:/good.test/",
                "http:good.test",
                "/etc/passwd",
                "good.test/a.png",
                "http",
                "",
                " http://good.test/"
            })
    void parse_otherScheme_isRefused(String text) {
        assertRefused(text, "the scheme of the image URL is not supported; http://, https:// and data: are");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://127.1/",
                "http://2130706433/",
                "http://0x7f000001/",
                "http://0x7f.0.0.1/",
                "http://0177.0.0.1/",
                "http://127.0.0.01/",
                "http://127.0.0.256/",
                "http://127.0.0.1e0/",
                "http://0/",
                "http://169.254.43518/",
                "http://localhost/",
                "http://redis/",
                "http:///a.png",
                "http://",
                "http://?x",
                "http://:80/",
                "http://good..test/",
                "http://.good.test/",
                "http://-a.test/",
                "http://good.test-/",
                "http://a_b.test/",
                "http://good.test,127.0.0.1/",
                "http://127.0.0.1;good.test/",
                "http://127.0.0.1:80:80/",
                "http://::1/",
                "http://[::1/",
                "http://[::1]x/",
                "http://[::1%25lo]/",
                "http://[v1.fe80::a]/",
                "http://[1:2:3]/",
                "http://[::ffff:127.0.0.1]/",
                "http://[64:ff9b::127.0.0.1]/",
                "http://[good.test]/",
                "http://%31%32%37.0.0.1/",
                "http://loc%61lhost.test/",
                "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test/"
            })
    void parse_oddHost_isRefused(String text) {
        assertRefused(text, "the image URL has no valid host");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"http://a@good.test/", "http://a:b@127.0.0.1/", "http://@good.test/", "http://a@b@127.0.0.1/"})
    void parse_userInformation_isRefused(String text) {
        assertRefused(text, "the image URL has user information, which is not allowed");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "65536", "80a", "", "-1", "+80", "000080"})
    void parse_oddPort_isRefused(String port) {
        assertRefused("http://good.test:" + port + "/", "the image URL has no valid port");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://good.test/a b",
                "http://good.test\\@127.0.0.1/",
                "http://127\u30020\u30020\u30021/",
                "http://good.test\t/",
                "http://good.test/\n",
                "http://good.test/{x}",
                "http://good.test/\"",
                "http://good.test/\u00e4",
                "http://localhos\u200dt/"
            })
    void parse_rawCharacter_isRefused(String text) {
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> parse(text))
                .withMessageMatching("the image URL has a character at index \\d+ that has to be percent-encoded");
    }

    @Test
    void parse_badEscape_isRefused() {
        assertRefused("http://good.test/%zz", "the image URL has a percent sign without two hexadecimal digits");
        assertRefused("http://good.test/%4", "the image URL has a percent sign without two hexadecimal digits");
    }

    @Test
    void parse_longUrl_isRefused() {
        assertRefused("http://good.test/" + "a".repeat(8176), "the image URL has 8193 characters; the limit is 8192");
        assertThat(parse("http://good.test/" + "a".repeat(8175)).host()).isEqualTo("good.test");
    }

    @Test
    void parse_plainNameThatIsListed_isAHost() {
        assertThat(ImageUrl.parse("http://minio:80/a", Set.of("minio"), "url").host())
                .isEqualTo("minio");
    }

    @ParameterizedTest
    @CsvSource({
        "/b, http://good.test:81/b",
        "b, http://good.test:81/dir/b",
        "?q, http://good.test:81/dir/a?q",
        "//other.test/b, http://other.test/b",
        "https://other.test/b, https://other.test/b",
        "b:c/d, ''"
    })
    void resolve_location_isTheTarget(String location, String target) {
        ImageUrl base = parse("http://good.test:81/dir/a?x");

        if (target.isEmpty()) {
            assertThatExceptionOfType(GenerationException.class)
                    .isThrownBy(() -> base.resolve(location, Set.of(), "url"))
                    .withMessageContaining("scheme");
        } else {
            assertThat(base.resolve(location, Set.of(), "url").uri()).hasToString(target);
        }
    }

    private static ImageUrl parse(String text) {
        return ImageUrl.parse(text, Set.of(), "url");
    }

    private static void assertRefused(String text, String message) {
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> parse(text))
                .withMessage(message)
                .satisfies(e -> assertThat(e.type()).isEqualTo(ErrorType.INVALID_IMAGE_URL))
                .satisfies(e -> assertThat(e.param()).isEqualTo("url"));
    }
}
