package io.idefics.web;

import jakarta.validation.constraints.Min;
import java.time.Duration;
import org.hibernate.validator.constraints.time.DurationMin;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;
import org.springframework.validation.annotation.Validated;

/**
 * Limits of connections, and of clients that send slowly; they belong to {@link WebProperties}.
 *
 * @param headerTimeout how long a client may take to send the headers of a request, from their first byte on
 * @param minBodyRate the bytes of a second that a body has to bring to be given another body timeout
 * @param maxConnections the most connections; fewer where the process may not open as many files. For a further one, that
 *     one closes which has been without a request for longest
 * @param maxConnectionsPerAddress the most connections of one address, where an IPv6 network of 64 bits counts as one;
 *     0 for no such limit, which proxies and gateways need
 */
@Validated
@ConfigurationProperties("idefics.web")
public record ConnectionProperties(
        @DefaultValue("10s") @DurationMin(millis = 1) Duration headerTimeout,
        @DefaultValue("64KB") DataSize minBodyRate,
        @DefaultValue("20000") @Min(1) int maxConnections,
        @DefaultValue("0") @Min(0) int maxConnectionsPerAddress) {

    public ConnectionProperties {
        if (minBodyRate.toBytes() < 1) {
            throw new IllegalArgumentException(
                    "idefics.web.min-body-rate is " + minBodyRate + " but must be at least 1B");
        }
    }
}
