package io.idefics.image;

import io.idefics.generation.ContentPart.ImageRef;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.resolver.AddressResolverGroup;
import java.io.ByteArrayOutputStream;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.Connection;
import reactor.netty.http.HttpProtocol;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.client.HttpClientResponse;
import reactor.netty.resources.ConnectionProvider;

/**
 * References to pictures to their bytes: data URLs are decoded, http and https URLs are fetched.
 *
 * <p>A fetch cannot be led to where it must not go. Each URL, redirects included, passes one strict parser; its host
 * is looked up once, every address found has to be allowed, and one of these addresses is dialled. Connections are
 * not reused, no headers of the client are passed on, and time, bytes and redirects are limited over the whole fetch.
 * Errors do not tell what was found at forbidden addresses.
 */
public final class ImageFetcher {

    private static final Set<Integer> REDIRECTS = Set.of(301, 302, 303, 307, 308);
    private static final int MAX_HEADER_BYTES = 16_384;

    private final ImageProperties properties;
    private final long maxBytes;
    private final AddressPolicy addresses;
    private final Set<String> plainNames;
    private final FetchSlots slots;
    private final HttpClient client;

    /**
     * @param properties limits and exceptions
     * @param version of this service, for the User-Agent header
     */
    public ImageFetcher(ImageProperties properties, String version) {
        this(properties, version, null);
    }

    /** With another way to look up names. */
    ImageFetcher(ImageProperties properties, String version, @Nullable AddressResolverGroup<?> resolver) {
        this.properties = properties;
        this.maxBytes = properties.byteLimit();
        this.addresses = new AddressPolicy(properties.allowedAddresses());
        this.plainNames = properties.allowedHosts().stream()
                .map(host -> host.toLowerCase(Locale.ROOT))
                .collect(Collectors.toUnmodifiableSet());
        this.slots = new FetchSlots(properties.maxConcurrentFetches());
        HttpClient base = HttpClient.create(ConnectionProvider.newConnection())
                .protocol(HttpProtocol.HTTP11)
                .keepAlive(false)
                .disableRetry(true)
                .followRedirect(false)
                .compress(false)
                .option(
                        ChannelOption.CONNECT_TIMEOUT_MILLIS,
                        Math.toIntExact(properties.connectTimeout().toMillis()))
                .httpResponseDecoder(decoder -> decoder.maxHeaderSize(MAX_HEADER_BYTES))
                .headers(headers -> headers.set(HttpHeaderNames.USER_AGENT, "idefics-server/" + version)
                        .set(
                                HttpHeaderNames.ACCEPT,
                                "image/png, image/jpeg, image/gif, image/webp, image/bmp, image/tiff")
                        .set(HttpHeaderNames.ACCEPT_ENCODING, "identity"));
        this.client = resolver == null ? base : base.resolver(resolver);
    }

    /**
     * The bytes of a picture, of any content.
     *
     * @return the bytes, or a GenerationException: INVALID_IMAGE_URL if the reference is malformed, forbidden or
     *     cannot be fetched, IMAGE_TOO_LARGE if there are too many bytes, OVERLOADED if other fetches leave no room
     */
    public Mono<byte[]> fetch(ImageRef ref) {
        if (DataUrl.isDataUrl(ref.url())) {
            return Mono.fromCallable(() -> DataUrl.decode(ref.url(), maxBytes, ref.param()))
                    .subscribeOn(Schedulers.parallel());
        }
        return Mono.defer(() -> {
            if (!properties.httpEnabled()) {
                return Mono.error(invalid("image URLs are not fetched by this service; only data: URLs are", ref));
            }
            ImageUrl url = checked(ImageUrl.parse(ref.url(), plainNames, ref.param()), ref);
            return inSlot(
                    follow(url, 0, ref)
                            .timeout(
                                    properties.fetchTimeout(),
                                    Mono.error(() -> invalid(
                                            "the image could not be fetched: timed out after "
                                                    + seconds(properties.fetchTimeout()),
                                            ref))),
                    ref);
        });
    }

    /** Fetches that may begin at once. */
    int freeSlots() {
        return slots.free();
    }

    private Mono<byte[]> inSlot(Mono<byte[]> fetch, ImageRef ref) {
        return Mono.defer(() -> {
            FetchSlots.Slot slot = slots.take();
            return slot.granted()
                    .timeout(
                            properties.fetchTimeout(),
                            Mono.error(() -> new GenerationException(
                                    ErrorType.OVERLOADED, "too many images are being fetched", ref.param())))
                    .then(fetch)
                    .doOnTerminate(slot::close)
                    .doOnCancel(slot::close);
        });
    }

    /** Refuses hosts and ports that are not configured. */
    private ImageUrl checked(ImageUrl url, ImageRef ref) {
        if (!properties.allowedPorts().contains(url.port())) {
            throw invalid(
                    "the port of the image URL is " + url.port() + "; allowed are " + properties.allowedPorts(), ref);
        }
        if (!properties.allowedHosts().isEmpty()
                && properties.allowedHosts().stream().noneMatch(allowed -> matches(url.host(), allowed))) {
            throw invalid("the host of the image URL is not allowed", ref);
        }
        return url;
    }

    private static boolean matches(String host, String allowed) {
        return allowed.startsWith("*.")
                ? host.endsWith(allowed.substring(1).toLowerCase(Locale.ROOT))
                : host.equalsIgnoreCase(allowed);
    }

    /** Fetches a URL and whatever it redirects to. */
    private Mono<byte[]> follow(ImageUrl url, int redirects, ImageRef ref) {
        return request(url, ref).flatMap(reply -> {
            if (reply instanceof Body body) {
                return Mono.just(body.bytes());
            }
            if (redirects == properties.maxRedirects()) {
                return Mono.error(invalid(
                        "the image could not be fetched: more than " + properties.maxRedirects() + " redirects", ref));
            }
            ImageUrl target = checked(url.resolve(((Redirect) reply).location(), plainNames, ref.param()), ref);
            if (url.secure() && !target.secure()) {
                return Mono.error(invalid("the image could not be fetched: redirected from https to http", ref));
            }
            return follow(target, redirects + 1, ref);
        });
    }

    private sealed interface Reply {}

    private record Body(byte[] bytes) implements Reply {}

    private record Redirect(String location) implements Reply {}

    private Mono<Reply> request(ImageUrl url, ImageRef ref) {
        AtomicBoolean forbidden = new AtomicBoolean();
        AtomicReference<@Nullable Channel> channel = new AtomicReference<>();
        return client.doOnChannelInit((observer, opened, address) -> channel.set(opened))
                .resolvedAddressesSelector((config, found) -> {
                    if (found.stream().allMatch(this::allows)) {
                        return found;
                    }
                    forbidden.set(true);
                    return List.of();
                })
                .get()
                .uri(url.uri())
                .responseConnection((response, connection) ->
                        read(response, connection, ref).doFinally(signal -> connection.dispose()))
                .next()
                // Reactor Netty leaves the socket open where no address is selected for a URL with an IP address.
                .doFinally(signal -> close(channel.get()))
                .onErrorMap(
                        error -> !(error instanceof GenerationException),
                        error -> forbidden.get()
                                ? invalid("the address of the image URL is not allowed", ref)
                                : new GenerationException(
                                        ErrorType.INVALID_IMAGE_URL,
                                        "the image could not be fetched: its host is unknown, does not answer or broke off",
                                        ref.param(),
                                        error));
    }

    private static void close(@Nullable Channel channel) {
        if (channel != null) {
            channel.close();
        }
    }

    private boolean allows(SocketAddress address) {
        return address instanceof InetSocketAddress socket
                && !socket.isUnresolved()
                && addresses.allows(socket.getAddress());
    }

    private Mono<Reply> read(HttpClientResponse response, Connection connection, ImageRef ref) {
        int status = response.status().code();
        if (REDIRECTS.contains(status)) {
            List<String> locations = response.responseHeaders().getAll(HttpHeaderNames.LOCATION);
            if (locations.size() != 1 || locations.get(0).isEmpty()) {
                return Mono.error(invalid("the image could not be fetched: redirected to nowhere", ref));
            }
            return Mono.just(new Redirect(locations.get(0)));
        }
        if (status != 200) {
            return Mono.error(invalid("the image could not be fetched: HTTP status " + status, ref));
        }
        String encoding = response.responseHeaders().get(HttpHeaderNames.CONTENT_ENCODING, "identity");
        if (!encoding.equalsIgnoreCase("identity")) {
            return Mono.error(invalid("the image could not be fetched: it came with a content encoding", ref));
        }
        return body(response, connection, ref);
    }

    private Mono<Reply> body(HttpClientResponse response, Connection connection, ImageRef ref) {
        String announced = response.responseHeaders().get(HttpHeaderNames.CONTENT_LENGTH, "");
        if (announced.matches("[0-9]{1,18}") && Long.parseLong(announced) > maxBytes) {
            return Mono.error(tooLarge(ref));
        }
        return connection
                .inbound()
                .receive()
                .asByteArray()
                .reduceWith(ByteArrayOutputStream::new, (bytes, chunk) -> {
                    if (bytes.size() + (long) chunk.length > maxBytes) {
                        throw tooLarge(ref);
                    }
                    bytes.writeBytes(chunk);
                    return bytes;
                })
                .map(bytes -> new Body(bytes.toByteArray()));
    }

    private GenerationException tooLarge(ImageRef ref) {
        return new GenerationException(
                ErrorType.IMAGE_TOO_LARGE, "the image is larger than the limit of " + maxBytes + " bytes", ref.param());
    }

    private static GenerationException invalid(String message, ImageRef ref) {
        return new GenerationException(ErrorType.INVALID_IMAGE_URL, message, ref.param());
    }

    private static String seconds(Duration duration) {
        return duration.toMillisPart() == 0 ? duration.toSeconds() + " s" : duration.toMillis() + " ms";
    }
}
