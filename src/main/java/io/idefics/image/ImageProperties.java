package io.idefics.image;

import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Positive;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;
import org.springframework.validation.annotation.Validated;

/**
 * How pictures are fetched and decoded.
 *
 * @param maxBytes bytes of one picture as it is fetched or written in a data URL
 * @param maxPixels width times height of one picture
 * @param maxSide width or height of one picture in pixels
 * @param connectTimeout time for one connection to be made
 * @param fetchTimeout time for a whole fetch: name lookup, connections, redirects and bytes
 * @param maxRedirects redirects that one fetch follows; each target is checked like the first URL
 * @param allowedHosts the only hosts that pictures are fetched from, besides the trusted ones, as in
 *     {@code images.example.com} or {@code *.example.com}; if empty, every host that has a public address
 * @param allowedAddresses CIDR blocks that pictures may be fetched from although they are not public, as in
 *     {@code 10.1.2.0/24}
 * @param allowedPorts ports that pictures are fetched from
 * @param httpEnabled whether http and https URLs are fetched at all; data URLs always work
 * @param applyExifOrientation whether pictures are turned upright; the reference implementation does not do it
 * @param maxDecodingBytes memory that all decoding at one time may take, on the Java heap and beside it; further pictures
 *     wait, and one that takes more on its own is refused; by default half of the Java heap, 640 MB at most
 * @param decodeTimeout how long one picture may wait for memory, and how long it may be decoded
 * @param maxConcurrentFetches fetches at one time; further ones wait for up to the fetch timeout, and those of the client
 *     that has the fewest come first
 * @param cacheSize memory for decoded and resized pictures, so that the next turn of a conversation does not decode them
 *     again; 0 for none, by default a sixteenth of the Java heap
 * @param trustedHosts hosts that pictures are fetched from although they have private addresses or a port of their own,
 *     as in {@code minio:9000} or {@code *.images.example.com}; addresses at which clouds give keys stay forbidden
 * @param deniedHosts hosts that pictures are never fetched from, whatever else is allowed
 * @param deniedAddresses CIDR blocks that pictures are never fetched from, whatever else is allowed
 * @param firstByteTimeout time from the beginning of one request until its answer has begun: name lookup, connection and
 *     headers
 * @param minimumRate bytes per second that a host has to send on average over every three seconds
 * @param maxConcurrentFetchesPerHost fetches from one host at one time; further ones wait like those beyond
 *     {@code maxConcurrentFetches}
 * @param maxRequestBytes bytes of all pictures of one request together
 * @param userAgent the User-Agent header; some hosts want it to name the operator, as in
 *     {@code MyService/1.0 (https://example.com/contact)}; by default the name and version of this server
 * @param fetchCacheSize memory for pictures as their hosts let them be kept (RFC 9111); 0 for none
 * @param proxy an HTTP proxy that all pictures are fetched through, as in {@code http://user:password@proxy:3128}; it
 *     looks up the names of hosts, and has to refuse those that are not public
 */
@Validated
@ConfigurationProperties("idefics.image")
public record ImageProperties(
        @DefaultValue("20MB") @NotNull DataSize maxBytes,
        @DefaultValue("" + ImageLimits.DEFAULT_MAX_PIXELS) @Positive long maxPixels,
        @DefaultValue("" + ImageLimits.DEFAULT_MAX_SIDE) @Positive int maxSide,
        @DefaultValue("3s") @NotNull Duration connectTimeout,
        @DefaultValue("10s") @NotNull Duration fetchTimeout,
        @DefaultValue("3") @Min(0) @Max(20) int maxRedirects,
        @DefaultValue List<String> allowedHosts,
        @DefaultValue List<String> allowedAddresses,
        @DefaultValue({"80", "443"}) List<@Min(1) @Max(65_535) Integer> allowedPorts,
        @DefaultValue("true") boolean httpEnabled,
        @DefaultValue("true") boolean applyExifOrientation,
        @Nullable DataSize maxDecodingBytes,
        @DefaultValue("10s") @NotNull Duration decodeTimeout,
        @DefaultValue("32") @Positive int maxConcurrentFetches,
        @Nullable DataSize cacheSize,
        @DefaultValue List<String> trustedHosts,
        @DefaultValue List<String> deniedHosts,
        @DefaultValue List<String> deniedAddresses,
        @DefaultValue("5s") @NotNull Duration firstByteTimeout,
        @DefaultValue("1KB") @NotNull DataSize minimumRate,
        @DefaultValue("8") @Positive int maxConcurrentFetchesPerHost,
        @DefaultValue("64MB") @NotNull DataSize maxRequestBytes,
        @Nullable String userAgent,
        @DefaultValue("0B") @NotNull DataSize fetchCacheSize,
        @Nullable URI proxy) {

    private static final int HEAP_SHARE = 16;
    private static final long MOST_DECODING_BYTES = 640 << 20;

    public ImageProperties {
        requirePositive("max-bytes", maxBytes.toBytes());
        if (maxDecodingBytes != null) {
            requirePositive("max-decoding-bytes", maxDecodingBytes.toBytes());
        }
        requirePositive("connect-timeout", connectTimeout.toMillis());
        requirePositive("fetch-timeout", fetchTimeout.toMillis());
        requirePositive("decode-timeout", decodeTimeout.toMillis());
        requirePositive("first-byte-timeout", firstByteTimeout.toMillis());
        requirePositive("max-request-bytes", maxRequestBytes.toBytes());
        requireNotNegative("minimum-rate", minimumRate);
        requireNotNegative("fetch-cache-size", fetchCacheSize);
        if (cacheSize != null) {
            requireNotNegative("cache-size", cacheSize);
        }
        if (userAgent != null && !userAgent.matches("[ -~]+")) {
            throw new IllegalArgumentException("idefics.image.user-agent may have printable ASCII characters only");
        }
        if (maxBytes.toBytes() > Integer.MAX_VALUE / 2) {
            throw new IllegalArgumentException("idefics.image.max-bytes is " + maxBytes + "; at most 1 GB is possible");
        }
        allowedHosts = List.copyOf(allowedHosts);
        allowedAddresses = List.copyOf(allowedAddresses);
        allowedPorts = List.copyOf(allowedPorts);
        trustedHosts = List.copyOf(trustedHosts);
        deniedHosts = List.copyOf(deniedHosts);
        deniedAddresses = List.copyOf(deniedAddresses);
    }

    /** The limits on the size of a picture. */
    public ImageLimits limits() {
        return new ImageLimits(maxPixels, maxSide);
    }

    /** The memory for decoding. */
    public long decodingBytes() {
        return maxDecodingBytes == null
                ? Math.min(MOST_DECODING_BYTES, Runtime.getRuntime().maxMemory() / 2)
                : maxDecodingBytes.toBytes();
    }

    /** The bytes of decoded and resized pictures that are kept. */
    public long cacheBytes() {
        return cacheSize == null ? Runtime.getRuntime().maxMemory() / HEAP_SHARE : cacheSize.toBytes();
    }

    /** The limit on the bytes of one picture. */
    long byteLimit() {
        return maxBytes.toBytes();
    }

    /** The limit on the bytes of all pictures of one request. */
    long requestByteLimit() {
        return maxRequestBytes.toBytes();
    }

    /** The bytes that a host has to send in a second. */
    long minimumBytesPerSecond() {
        return minimumRate.toBytes();
    }

    /** The bytes of fetched pictures that are kept. */
    long fetchCacheBytes() {
        return fetchCacheSize.toBytes();
    }

    private static void requireNotNegative(String name, DataSize value) {
        if (value.isNegative()) {
            throw new IllegalArgumentException("idefics.image." + name + " is " + value + "; it cannot be negative");
        }
    }

    private static void requirePositive(String name, long value) {
        if (value <= 0) {
            throw new IllegalArgumentException("idefics.image." + name + " is " + value + "; it has to be positive");
        }
    }
}
