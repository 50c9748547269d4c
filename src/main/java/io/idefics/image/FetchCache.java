package io.idefics.image;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.netty.handler.codec.DateFormatter;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import java.net.URI;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Pictures as their hosts let them be kept (RFC 9111): for as long as {@code Cache-Control} or {@code Expires} say, and
 * beyond that to ask the host whether they have changed.
 *
 * <p>All requests have the same headers, so that one client gets nothing from here that it would not get from the host.
 * Only answers with status 200 are kept, each under the URL that it was the answer to; redirects are followed anew.
 */
final class FetchCache {

    private static final Duration LONGEST = Duration.ofDays(1);
    private static final int ENTRY_BYTES = 512;
    private static final Pattern DIRECTIVE = Pattern.compile(
            "\\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\\s*(?:=\\s*(\"(?:[^\"\\\\]|\\\\.)*\"|[^\\s,]*))?\\s*(?:,|$)");

    private final @Nullable Cache<URI, Entry> entries;
    private final Clock clock;

    /**
     * An answer that is kept.
     *
     * @param bytes not to be changed
     * @param etag empty if there is none
     * @param lastModified empty if there is none
     * @param freshUntil when the host has to be asked again
     */
    record Entry(byte[] bytes, String etag, String lastModified, Instant freshUntil) {

        /** Whether a host can be asked if it has changed. */
        boolean hasValidator() {
            return !etag.isEmpty() || !lastModified.isEmpty();
        }
    }

    /** @param bytes memory for pictures; none are kept if it is 0 */
    FetchCache(long bytes, Clock clock) {
        this.entries = bytes == 0
                ? null
                : Caffeine.newBuilder()
                        .maximumWeight(bytes)
                        .weigher((URI url, Entry entry) -> (int) Math.min(
                                Integer.MAX_VALUE,
                                ENTRY_BYTES + 2L * url.toString().length() + entry.bytes().length))
                        .expireAfterWrite(LONGEST)
                        .build();
        this.clock = clock;
    }

    /** What is kept for a URL, if anything. */
    @Nullable
    Entry get(URI url) {
        return entries == null ? null : entries.getIfPresent(url);
    }

    boolean isFresh(Entry entry) {
        return clock.instant().isBefore(entry.freshUntil());
    }

    /** Keeps an answer, if it may be kept and is of use later. */
    void put(URI url, HttpHeaders headers, byte[] bytes) {
        if (entries == null) {
            return;
        }
        Map<String, String> directives = directives(headers);
        String etag = headers.get(HttpHeaderNames.ETAG, "");
        String lastModified = headers.get(HttpHeaderNames.LAST_MODIFIED, "");
        Instant freshUntil = freshUntil(headers, directives);
        boolean isOfUse = clock.instant().isBefore(freshUntil) || !etag.isEmpty() || !lastModified.isEmpty();
        if (directives.containsKey("no-store")
                || headers.getAllAsString(HttpHeaderNames.VARY).contains("*")
                || !isOfUse) {
            entries.invalidate(url);
        } else {
            entries.put(url, new Entry(bytes, etag, lastModified, freshUntil));
        }
    }

    /** Keeps an entry that the host says has not changed, for as long as it now says. */
    void renew(URI url, HttpHeaders headers, Entry entry) {
        HttpHeaders all = headers.copy();
        if (!all.contains(HttpHeaderNames.ETAG) && !entry.etag().isEmpty()) {
            all.set(HttpHeaderNames.ETAG, entry.etag());
        }
        if (!all.contains(HttpHeaderNames.LAST_MODIFIED)
                && !entry.lastModified().isEmpty()) {
            all.set(HttpHeaderNames.LAST_MODIFIED, entry.lastModified());
        }
        put(url, all, entry.bytes());
    }

    /** When an answer that has just come is no longer fresh (RFC 9111, section 4.2); without a word of the host, now. */
    private Instant freshUntil(HttpHeaders headers, Map<String, String> directives) {
        Instant now = clock.instant();
        if (directives.containsKey("no-cache")) {
            return now;
        }
        Date date = DateFormatter.parseHttpDate(headers.get(HttpHeaderNames.DATE, ""));
        long age = Math.max(
                seconds(headers.get(HttpHeaderNames.AGE, "0")),
                date == null ? 0 : Duration.between(date.toInstant(), now).toSeconds());
        String maxAge = directives.get("max-age");
        long lifetime = maxAge != null ? seconds(maxAge) : untilExpiry(headers, date == null ? now : date.toInstant());
        return now.plusSeconds(Math.max(0, Math.min(lifetime, LONGEST.toSeconds()) - age));
    }

    private static long untilExpiry(HttpHeaders headers, Instant date) {
        Date expires = DateFormatter.parseHttpDate(headers.get(HttpHeaderNames.EXPIRES, ""));
        return expires == null ? 0 : Duration.between(date, expires.toInstant()).toSeconds();
    }

    /** A number of seconds; 0 for what is none, as an answer that cannot be read is not fresh. */
    private static long seconds(String text) {
        if (!text.matches("[0-9]+")) {
            return 0;
        }
        return text.length() > 9 ? Integer.MAX_VALUE : Long.parseLong(text);
    }

    /** The directives of Cache-Control in lower case; of two with the same name the shorter time counts. */
    private static Map<String, String> directives(HttpHeaders headers) {
        Map<String, String> directives = new HashMap<>();
        Matcher matcher = DIRECTIVE.matcher(String.join(",", headers.getAll(HttpHeaderNames.CACHE_CONTROL)));
        while (matcher.find()) {
            String value = matcher.group(2) == null ? "" : matcher.group(2).replace("\"", "");
            directives.merge(
                    matcher.group(1).toLowerCase(Locale.ROOT),
                    value,
                    (first, second) -> seconds(first) <= seconds(second) ? first : second);
        }
        return directives;
    }
}
