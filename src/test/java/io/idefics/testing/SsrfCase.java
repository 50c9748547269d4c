package io.idefics.testing;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A reference to a picture by which somebody may try to reach what is not theirs, or a sound one.
 *
 * @param expect {@code allow} or {@code block}
 * @param severity {@code must}, {@code should}, or {@code either} where both are right
 * @param dns what names stand for
 * @param dnsSeq what names stand for at one lookup after the other
 * @param server what the host answers
 * @param e2eUrl a URL that can be tried on a real service, as every reading of it leads to the loopback
 */
public record SsrfCase(
        String id,
        String url,
        String expect,
        String severity,
        @Nullable Map<String, List<String>> dns,
        @JsonProperty("dns_seq") @Nullable Map<String, List<List<String>>> dnsSeq,
        @Nullable Server server,
        @JsonProperty("e2e_url") @Nullable String e2eUrl) {

    private static final int COUNT = 280;

    /** An answer of the host: {@code location} first, then one of {@code chain} after the other. */
    public record Server(
            int status,
            @Nullable String location,
            @Nullable String header,
            @Nullable List<String> chain,
            @Nullable List<String> locations) {}

    /** All cases. */
    public static Stream<SsrfCase> all() {
        try (InputStream in = SsrfCase.class.getResourceAsStream("/ssrf-cases.json")) {
            SsrfCase[] cases = JsonMapper.builder()
                    .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                    .build()
                    .readValue(Objects.requireNonNull(in), SsrfCase[].class);
            if (cases.length != COUNT) {
                throw new IllegalStateException(cases.length + " cases");
            }
            return Stream.of(cases);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public boolean isAllowed() {
        return expect.equals("allow");
    }

    /** Whether it may just as well be refused or fetched. */
    public boolean isEither() {
        return severity.equals("either");
    }

    @Override
    public String toString() {
        return id;
    }
}
