package io.idefics.image;

import io.idefics.image.FetchException.Outcome;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.ConnectTimeoutException;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.Connection;
import reactor.netty.http.Http11SslContextSpec;
import reactor.netty.http.HttpProtocol;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.client.HttpClientResponse;
import reactor.netty.resources.ConnectionProvider;

/**
 * One GET of a URL that has been judged already. Its host is looked up once, every address found has to be allowed, and
 * these addresses are dialled. Connections are not reused, and nothing of the client's request is passed on.
 */
final class ImageClient {

    private static final Set<Integer> REDIRECTS = Set.of(301, 302, 303, 307, 308);
    private static final Set<Integer> PASSING = Set.of(502, 503, 504);
    private static final int MAX_HEADER_BYTES = 16_384;
    private static final Duration HANDSHAKE_TIMEOUT = Duration.ofSeconds(5);

    /** Addresses of a host that are tried in turn. */
    private static final int MAX_ADDRESSES = 4;

    private final ImageProperties properties;
    private final HostPolicy hosts;
    private final Network network;
    private final FetchCache cache;
    private final HttpClient client;
    private final @Nullable FetchProxy proxy;

    /** What a host answered. */
    sealed interface Reply {}

    /** A picture, or whatever else came with status 200. */
    record Body(byte[] bytes) implements Reply {}

    /** Another place to look. */
    record Redirect(String location) implements Reply {}

    /** The headers are there. */
    private record Begun() implements Reply {}

    ImageClient(ImageProperties properties, String userAgent, HostPolicy hosts, Network network, FetchCache cache) {
        this.properties = properties;
        this.hosts = hosts;
        this.network = network;
        this.cache = cache;
        URI proxyUrl = properties.proxy();
        var names = network.boundedNames();
        this.proxy = proxyUrl == null ? null : new FetchProxy(proxyUrl, names);
        Http11SslContextSpec tls = Http11SslContextSpec.forClient().configure(context -> {
            context.protocols("TLSv1.3", "TLSv1.2");
            if (network.authorities() != null) {
                context.trustManager(network.authorities());
            }
        });
        this.client = HttpClient.create(ConnectionProvider.newConnection())
                .protocol(HttpProtocol.HTTP11)
                .keepAlive(false)
                .disableRetry(true)
                .followRedirect(false)
                .compress(false)
                .secure(spec -> spec.sslContext(tls).handshakeTimeout(HANDSHAKE_TIMEOUT))
                .resolver(names)
                .option(
                        ChannelOption.CONNECT_TIMEOUT_MILLIS,
                        Math.toIntExact(properties.connectTimeout().toMillis()))
                .httpResponseDecoder(decoder -> decoder.maxHeaderSize(MAX_HEADER_BYTES))
                .headers(headers -> headers.set(HttpHeaderNames.USER_AGENT, userAgent)
                        .set(
                                HttpHeaderNames.ACCEPT,
                                "image/png, image/jpeg, image/gif, image/webp, image/bmp, image/tiff")
                        .set(HttpHeaderNames.ACCEPT_ENCODING, "identity"));
    }

    /**
     * Asks a host for a URL.
     *
     * @param kept what the host is asked whether it has changed
     * @return a body or a redirect, or a FetchException
     */
    Mono<Reply> get(ImageUrl url, FetchCache.@Nullable Entry kept, FetchBudget budget) {
        HttpClient conditional = kept == null ? client : client.headers(headers -> conditions(headers, kept));
        Mono<Reply> reply = proxy == null
                ? direct(conditional, url, kept, budget)
                : proxy.client(conditional, url, properties.connectTimeout())
                        .flatMap(through -> send(through, url, kept, budget));
        return reply.onErrorMap(error -> !(error instanceof FetchException), ImageClient::failure);
    }

    private static void conditions(HttpHeaders headers, FetchCache.Entry kept) {
        if (!kept.etag().isEmpty()) {
            headers.set(HttpHeaderNames.IF_NONE_MATCH, kept.etag());
        }
        if (!kept.lastModified().isEmpty()) {
            headers.set(HttpHeaderNames.IF_MODIFIED_SINCE, kept.lastModified());
        }
    }

    private Mono<Reply> direct(
            HttpClient conditional, ImageUrl url, FetchCache.@Nullable Entry kept, FetchBudget budget) {
        return Mono.defer(() -> {
            AtomicBoolean forbidden = new AtomicBoolean();
            AtomicReference<@Nullable Channel> channel = new AtomicReference<>();
            HttpClient checking = conditional
                    .doOnChannelInit((observer, opened, address) -> channel.set(opened))
                    .resolvedAddressesSelector((config, found) -> {
                        if (found.stream().allMatch(address -> allows(url, address))) {
                            return network.route()
                                    .apply(found.stream().limit(MAX_ADDRESSES).collect(Collectors.toList()));
                        }
                        forbidden.set(true);
                        return List.of();
                    });
            return send(checking, url, kept, budget)
                    // Reactor Netty leaves the socket open where no address is selected for a URL with an IP address.
                    .doFinally(signal -> close(channel.get()))
                    .onErrorMap(
                            error -> forbidden.get(),
                            error -> FetchException.of(Outcome.BLOCKED, "the host has an address that is not allowed"));
        });
    }

    private static void close(@Nullable Channel channel) {
        if (channel != null) {
            channel.close();
        }
    }

    private boolean allows(ImageUrl url, SocketAddress address) {
        return address instanceof InetSocketAddress socket
                && !socket.isUnresolved()
                && hosts.allows(url, socket.getAddress());
    }

    private Mono<Reply> send(HttpClient prepared, ImageUrl url, FetchCache.@Nullable Entry kept, FetchBudget budget) {
        HttpClient.ResponseReceiver<?> request = proxy == null || url.secure()
                ? prepared.get().uri(url.uri())
                : prepared.get().uri("/"); // at the proxy, which gets the whole URL
        return request.responseConnection((response, connection) -> Flux.<Reply>just(new Begun())
                        .concatWith(read(response, connection, url, kept, budget))
                        .doFinally(signal -> connection.dispose()))
                .timeout(
                        Mono.delay(properties.firstByteTimeout()),
                        begun -> Mono.never(),
                        Flux.error(() -> FetchException.ofHost(Outcome.TIMEOUT, "no answer in time", null)))
                .filter(reply -> !(reply instanceof Begun))
                .next();
    }

    private Mono<Reply> read(
            HttpClientResponse response,
            Connection connection,
            ImageUrl url,
            FetchCache.@Nullable Entry kept,
            FetchBudget budget) {
        int status = response.status().code();
        HttpHeaders headers = response.responseHeaders();
        if (REDIRECTS.contains(status)) {
            List<String> locations = headers.getAll(HttpHeaderNames.LOCATION);
            return locations.size() != 1 || locations.get(0).isEmpty()
                    ? Mono.error(FetchException.of(Outcome.STATUS, "redirected to nowhere"))
                    : Mono.just(new Redirect(locations.get(0)));
        }
        if (status == 304 && kept != null) {
            if (!budget.tryTake(kept.bytes().length)) {
                return Mono.error(budget.exceeded());
            }
            cache.renew(url.uri(), headers, kept);
            return Mono.just(new Body(kept.bytes()));
        }
        if (status != 200) {
            String detail = "HTTP status " + status;
            if (PASSING.contains(status)) {
                return Mono.error(FetchException.passing(Outcome.STATUS, detail, null));
            }
            return Mono.error(
                    status >= 500
                            ? FetchException.ofHost(Outcome.STATUS, detail, null)
                            : FetchException.of(Outcome.STATUS, detail));
        }
        String encoding = headers.get(HttpHeaderNames.CONTENT_ENCODING, "identity");
        if (!encoding.equalsIgnoreCase("identity")) {
            return Mono.error(FetchException.of(Outcome.STATUS, "came with a content encoding"));
        }
        return body(headers, connection, budget)
                .doOnNext(body -> cache.put(url.uri(), headers, body.bytes()))
                .cast(Reply.class);
    }

    private Mono<Body> body(HttpHeaders headers, Connection connection, FetchBudget budget) {
        long limit = properties.byteLimit();
        String announced = headers.get(HttpHeaderNames.CONTENT_LENGTH, "");
        if (announced.matches("[0-9]{1,18}")) {
            long bytes = Long.parseLong(announced);
            if (bytes > limit || bytes > budget.left()) {
                return Mono.error(bytes > limit ? tooLarge(limit) : budget.exceeded());
            }
        }
        AtomicLong taken = new AtomicLong();
        Flux<byte[]> pieces = connection.inbound().receive().asByteArray().doOnNext(piece -> {
            if (taken.get() + piece.length > limit) {
                throw tooLarge(limit);
            }
            if (!budget.tryTake(piece.length)) {
                throw budget.exceeded();
            }
            taken.addAndGet(piece.length);
        });
        return MinimumRate.of(pieces, properties.minimumBytesPerSecond(), Schedulers.parallel())
                .reduceWith(ArrayList<byte[]>::new, (all, piece) -> {
                    all.add(piece);
                    return all;
                })
                .map(all -> new Body(joined(all, (int) taken.get())))
                .doOnError(error -> budget.giveBack(taken.getAndSet(0)));
    }

    /** The pieces in one array, which is made when all of them are there: most of what is too large costs no copy. */
    private static byte[] joined(List<byte[]> pieces, int length) {
        byte[] all = new byte[length];
        int position = 0;
        for (byte[] piece : pieces) {
            System.arraycopy(piece, 0, all, position, piece.length);
            position += piece.length;
        }
        return all;
    }

    private static FetchException tooLarge(long limit) {
        return FetchException.of(Outcome.TOO_LARGE, "the image is larger than the limit of " + limit + " bytes");
    }

    /** What went wrong with a connection. */
    private static FetchException failure(Throwable error) {
        String detail = String.valueOf(error.getMessage());
        if (error instanceof UnknownHostException
                || error instanceof ConnectException
                || error instanceof ConnectTimeoutException) {
            return FetchException.ofHost(Outcome.UNREACHABLE, detail, error);
        }
        return error instanceof IOException && !(error instanceof SSLException)
                ? FetchException.passing(Outcome.BROKEN, detail, error)
                : FetchException.ofHost(Outcome.BROKEN, detail, error);
    }
}
