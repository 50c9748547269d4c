package io.idefics.web;

import io.idefics.admission.ApiKey;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;

/**
 * What a client presents to be let in.
 *
 * @param given whether it presents anything
 * @param key the key; null where there is none, more than one, or something that cannot be a key
 */
record Credentials(boolean given, @Nullable String key) {

    /** Name of the header in which Anthropic's clients send the key. */
    static final String API_KEY_HEADER = "x-api-key";

    private static final Credentials NONE = new Credentials(false, null);
    private static final Credentials MALFORMED = new Credentials(true, null);

    /** RFC 6750, section 2.1; the name of the scheme has no case (RFC 9110, section 11.1). */
    private static final Pattern BEARER = Pattern.compile("bearer +(\\S+)", Pattern.CASE_INSENSITIVE);

    /**
     * What the headers of a request present.
     *
     * @param apiKeyHeader whether the key may come in {@value #API_KEY_HEADER} as well
     */
    static Credentials of(HttpHeaders headers, boolean apiKeyHeader) {
        Credentials bearer = bearer(headers.getOrEmpty(HttpHeaders.AUTHORIZATION));
        if (!apiKeyHeader) {
            return bearer;
        }
        Credentials plain = single(headers.getOrEmpty(API_KEY_HEADER));
        if (!plain.given()) {
            return bearer;
        }
        return !bearer.given() || bearer.equals(plain) ? plain : MALFORMED;
    }

    private static Credentials bearer(List<String> values) {
        if (values.size() != 1) {
            return values.isEmpty() ? NONE : MALFORMED;
        }
        Matcher matcher = BEARER.matcher(values.get(0));
        return matcher.matches() ? single(List.of(matcher.group(1))) : MALFORMED;
    }

    private static Credentials single(List<String> values) {
        if (values.isEmpty()) {
            return NONE;
        }
        return values.size() == 1 && ApiKey.isKey(values.get(0)) ? new Credentials(true, values.get(0)) : MALFORMED;
    }

    /** Without the key. */
    @Override
    public String toString() {
        return key == null ? (given ? "malformed" : "none") : "a key";
    }
}
