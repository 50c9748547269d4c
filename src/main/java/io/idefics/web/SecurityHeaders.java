package io.idefics.web;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What every answer tells browsers: to trust its content type, to keep it out of frames and other sites, to send no
 * referrer, and to run nothing of it. The pages of the description of the API may run their own scripts.
 */
final class SecurityHeaders {

    /** One year. */
    static final String STRICT_TRANSPORT = "max-age=31536000";

    static final String CONTENT_POLICY = "Content-Security-Policy";

    private static final String NOTHING =
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    /** Swagger UI sets styles in the page and has its pictures in data URLs. */
    private static final String PAGE = NOTHING
            + "; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:;"
            + " connect-src 'self'";

    private static final Map<String, String> FIXED = Map.of(
            "X-Content-Type-Options", "nosniff",
            "X-Frame-Options", "DENY",
            "Referrer-Policy", "no-referrer",
            "Cross-Origin-Resource-Policy", "same-origin",
            "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()");

    private SecurityHeaders() {}

    /** Those that do not depend on the answer. */
    static Map<String, String> fixed() {
        return FIXED;
    }

    /** What an answer of a content type may run and load. */
    static String contentPolicy(@Nullable String contentType) {
        return contentType != null && contentType.startsWith("text/html") ? PAGE : NOTHING;
    }
}
