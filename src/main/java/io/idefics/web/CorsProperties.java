package io.idefics.web;

import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;
import org.hibernate.validator.constraints.time.DurationMin;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * Which web pages of other origins may use the API from a browser (WHATWG Fetch, section 3.2). Cookies and other
 * credentials of the browser are never admitted: a page sends its key in a header.
 *
 * @param allowedOrigins the origins of these pages, as in {@code https://chat.example.com}, or {@code *} for all; none by
 *     default
 * @param maxAge how long a browser may remember what is allowed
 */
@Validated
@ConfigurationProperties("idefics.web.cors")
public record CorsProperties(
        @DefaultValue List<String> allowedOrigins, @DefaultValue("1h") @DurationMin(seconds = 0) Duration maxAge) {

    /** The form in which browsers send an origin: no path, no upper case, no default port. */
    private static final Pattern ORIGIN =
            Pattern.compile("https?://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\\[[0-9a-f:]+])(?::[1-9][0-9]{0,4})?");

    public CorsProperties {
        allowedOrigins = List.copyOf(allowedOrigins);
        for (String origin : allowedOrigins) {
            if (!origin.equals("*") && !ORIGIN.matcher(origin).matches()) {
                throw new IllegalArgumentException("idefics.web.cors.allowed-origins has '" + origin
                        + "' but an origin must be * or look like https://chat.example.com or http://localhost:3000");
            }
        }
    }
}
