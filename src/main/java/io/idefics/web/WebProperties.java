package io.idefics.web;

import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import java.time.Duration;
import org.hibernate.validator.constraints.time.DurationMin;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;
import org.springframework.validation.annotation.Validated;

/**
 * Limits and times of the HTTP interface.
 *
 * @param maxBodySize the most bytes of a request body, pictures in data URLs included
 * @param bodyTimeout how long a client may take to send its body
 * @param writeTimeout how long a client may take to receive one piece of an answer
 * @param keepAliveInterval how long a stream may be silent before a comment is sent
 * @param maxImages the most pictures of one request
 * @param maxTextCharacters the most characters of all texts of one request together, in UTF-16 units; 32 prompts of 2048
 *     of the longest tokens have fewer
 */
@Validated
@ConfigurationProperties("idefics.web")
public record WebProperties(
        @DefaultValue("64MB") DataSize maxBodySize,
        @DefaultValue("30s") @DurationMin(millis = 1) Duration bodyTimeout,
        @DefaultValue("60s") @DurationMin(millis = 1) Duration writeTimeout,
        @DefaultValue("15s") @DurationMin(millis = 1) Duration keepAliveInterval,
        @DefaultValue("32") @Min(0) @Max(1024) int maxImages,
        @DefaultValue("2000000") @Min(1) int maxTextCharacters) {

    public WebProperties {
        if (maxBodySize.toBytes() < 1024 || maxBodySize.toBytes() > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(
                    "idefics.web.max-body-size is " + maxBodySize + " but must lie between 1KB and 2047MB");
        }
    }

    /** The most bytes of a request body. */
    public int maxBodyBytes() {
        return Math.toIntExact(maxBodySize.toBytes());
    }
}
