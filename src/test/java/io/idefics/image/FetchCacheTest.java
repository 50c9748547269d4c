package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaders;
import java.net.URI;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FetchCacheTest {

    private static final URI URL = URI.create("http://good.test/a.png");
    private static final byte[] PICTURE = {1, 2, 3};

    private final MovableClock clock = new MovableClock();
    private final FetchCache cache = new FetchCache(1 << 20, clock);

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "Cache-Control: max-age=60 | 60",
                "Cache-Control: public, Max-Age=60 | 60",
                "Cache-Control: private, max-age=60 | 60",
                "Cache-Control: max-age=\"60\" | 60",
                "Cache-Control: max-age=60, max-age=10 | 10",
                "Cache-Control: max-age=60;Age: 20 | 40",
                "Cache-Control: max-age=60;Date: Thu, 01 Jan 2026 11:59:30 GMT | 30",
                "Cache-Control: max-age=60;Date: Thu, 01 Jan 2026 12:59:30 GMT | 60",
                "Cache-Control: max-age=60;Expires: Thu, 01 Jan 2026 12:00:10 GMT | 60",
                "Expires: Thu, 01 Jan 2026 12:00:10 GMT | 10",
                "Cache-Control: max-age=99999999999999999999 | 86400",
                "Cache-Control: private=\"x, no-store\", max-age=60 | 60"
            })
    void put_lifetime_isFreshForAsLong(String headers, long seconds) {
        cache.put(URL, headers(headers), PICTURE);

        clock.forward(Duration.ofSeconds(seconds).minusMillis(1));
        assertThat(cache.get(URL)).isNotNull().matches(cache::isFresh);
        clock.forward(Duration.ofMillis(1));
        assertThat(cache.isFresh(cache.get(URL))).isFalse();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "Cache-Control: no-store, max-age=60;ETag: \"a\"",
                "Cache-Control: max-age=60;Vary: *;ETag: \"a\"",
                "Cache-Control: max-age=0",
                "Cache-Control: max-age=-5",
                "Cache-Control: max-age=x",
                "Cache-Control: no-cache",
                "Expires: 0",
                "Content-Type: image/png"
            })
    void put_whatIsOfNoUse_isNotKept(String headers) {
        cache.put(URL, headers("Cache-Control: max-age=60"), PICTURE);

        cache.put(URL, headers(headers), PICTURE);

        assertThat(cache.get(URL)).isNull();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {"ETag: \"a\"", "Cache-Control: no-cache, max-age=60;ETag: \"a\""})
    void put_withoutLifetime_isKeptToAskAgain(String headers) {
        cache.put(URL, headers(headers), PICTURE);

        assertThat(cache.get(URL))
                .isNotNull()
                .matches(entry -> !cache.isFresh(entry) && entry.etag().equals("\"a\""));
    }

    @Test
    void renew_unchanged_isFreshAgainWithItsValidator() {
        cache.put(URL, headers("Cache-Control: max-age=60;ETag: \"a\""), PICTURE);
        clock.forward(Duration.ofSeconds(90));

        cache.renew(URL, headers("Cache-Control: max-age=60"), cache.get(URL));

        assertThat(cache.get(URL)).isNotNull().matches(cache::isFresh).matches(entry -> entry.etag()
                .equals("\"a\""));
    }

    @Test
    void get_otherUrl_hasItsOwn() {
        cache.put(URL, headers("Cache-Control: max-age=60"), PICTURE);

        assertThat(cache.get(URI.create("https://good.test/a.png"))).isNull();
        assertThat(cache.get(URI.create("http://good.test/a.png?x"))).isNull();
        assertThat(cache.get(URI.create("http://good.test/A.png"))).isNull();
    }

    @Test
    void put_noMemory_keepsNothing() {
        FetchCache none = new FetchCache(0, clock);

        none.put(URL, headers("Cache-Control: max-age=60"), PICTURE);

        assertThat(none.get(URL)).isNull();
    }

    private static HttpHeaders headers(String text) {
        HttpHeaders headers = new DefaultHttpHeaders();
        for (String line : text.split(";")) {
            String[] header = line.trim().split(": ", 2);
            headers.add(header[0], header[1]);
        }
        return headers;
    }

    private static final class MovableClock extends Clock {

        private Instant now = Instant.parse("2026-01-01T12:00:00Z");

        void forward(Duration time) {
            now = now.plus(time);
        }

        @Override
        public ZoneId getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
            return this;
        }

        @Override
        public Instant instant() {
            return now;
        }
    }
}
