package io.idefics.image;

import io.github.resilience4j.core.IntervalFunction;
import io.github.resilience4j.reactor.retry.RetryOperator;
import io.github.resilience4j.retry.Retry;
import io.github.resilience4j.retry.RetryConfig;
import io.idefics.generation.ContentPart.ImageRef;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.image.FetchException.Outcome;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Clock;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;
import reactor.core.publisher.SignalType;
import reactor.core.scheduler.Schedulers;

/**
 * References to pictures to their bytes: data URLs are decoded, http and https URLs are fetched.
 *
 * <p>A fetch cannot be led to where it must not go. Each URL, redirects included, passes one strict parser and the lists
 * of hosts; its host is looked up once, every address found has to be allowed, and these addresses are dialled. Time,
 * bytes, redirects and what runs at one time are limited. What goes wrong after the first contact, or because of what a
 * name stands for, is told in one and the same way, so that nobody can explore a network through this service.
 */
public final class ImageFetcher implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(ImageFetcher.class);

    private static final String FAILED =
            "the image could not be fetched: its host is unknown, not reachable, too slow, or does not give it";

    /** A fetch that broke off is begun once more, from the first URL and within the same time. */
    private static final RetryConfig ONCE_MORE = RetryConfig.custom()
            .maxAttempts(2)
            .intervalFunction(IntervalFunction.ofRandomized(Duration.ofMillis(200)))
            .retryOnException(error -> error instanceof FetchException failure && failure.isPassing())
            .build();

    private final ImageProperties properties;
    private final Network network;
    private final HostPolicy hosts;
    private final HostLimits limits;
    private final FetchCache cache;
    private final ImageClient client;
    private final FetchMeters meters;
    private final Retry retry = Retry.of("image", ONCE_MORE);

    /** One picture that is fetched. */
    private record Fetch(ImageRef ref, FetchBudget budget, FetchDeadline deadline) {}

    /**
     * @param properties limits and exceptions
     * @param version of this service, for the User-Agent header
     * @param registry for the meters of fetches
     */
    public ImageFetcher(ImageProperties properties, String version, MeterRegistry registry) {
        this(properties, version, registry, Network.ofSystem());
    }

    /** With another network. */
    ImageFetcher(ImageProperties properties, String version, MeterRegistry registry, Network network) {
        this.properties = properties;
        this.network = network;
        this.hosts = new HostPolicy(properties);
        this.limits = new HostLimits(properties.maxConcurrentFetches(), properties.maxConcurrentFetchesPerHost());
        this.cache = new FetchCache(properties.fetchCacheBytes(), Clock.systemUTC());
        String userAgent = properties.userAgent() == null ? "idefics-server/" + version : properties.userAgent();
        this.client = new ImageClient(properties, userAgent, hosts, network, cache);
        this.meters = new FetchMeters(registry, () -> properties.maxConcurrentFetches() - limits.free());
    }

    /**
     * The bytes that the pictures of one request may have together.
     *
     * @param client whose request it is; of several, each gets its share of the fetches that run at one time
     */
    public FetchBudget budget(String client) {
        return new FetchBudget(client, properties.requestByteLimit());
    }

    /** Whether a picture is fetched from somewhere; otherwise the reference holds it. */
    public static boolean isRemote(ImageRef ref) {
        return !DataUrl.isDataUrl(ref.url());
    }

    /** The bytes of a picture of a request that has no other. */
    public Mono<byte[]> fetch(ImageRef ref) {
        return fetch(ref, budget(""));
    }

    /**
     * The bytes of a picture, of any content; they may be shared and must not be changed.
     *
     * @param budget of the request that the picture belongs to
     * @return the bytes, or a GenerationException: INVALID_IMAGE_URL if the reference is malformed, forbidden or
     *     cannot be fetched, IMAGE_TOO_LARGE if there are too many bytes, OVERLOADED if other fetches leave no room
     */
    public Mono<byte[]> fetch(ImageRef ref, FetchBudget budget) {
        Mono<byte[]> bytes = DataUrl.isDataUrl(ref.url()) ? decoded(ref, budget) : fetched(ref, budget);
        return bytes.onErrorMap(FetchException.class, failure -> told(failure, ref));
    }

    private Mono<byte[]> decoded(ImageRef ref, FetchBudget budget) {
        return Mono.fromCallable(() -> {
                    byte[] bytes = DataUrl.decode(ref.url(), properties.byteLimit(), ref.param());
                    if (!budget.tryTake(bytes.length)) {
                        throw budget.exceeded();
                    }
                    return bytes;
                })
                .subscribeOn(Schedulers.parallel());
    }

    private Mono<byte[]> fetched(ImageRef ref, FetchBudget budget) {
        return Mono.defer(() -> {
            long start = System.nanoTime();
            return Mono.defer(() -> begin(ref, budget))
                    .doOnSuccess(bytes -> ended(Outcome.OK, start))
                    .doOnError(error -> ended(outcome(error), start))
                    .doOnError(FetchException.class, failure -> log(ref, failure))
                    .doFinally(signal -> {
                        if (signal == SignalType.CANCEL) {
                            ended(Outcome.CANCELLED, start);
                        }
                    });
        });
    }

    private void ended(Outcome outcome, long start) {
        meters.ended(outcome, Duration.ofNanos(System.nanoTime() - start));
    }

    /** Tells the operator what the client is not told; the URL without its query, which may be a key. */
    private static void log(ImageRef ref, FetchException failure) {
        LOG.debug(
                "{} was not fetched ({}): {}",
                ref.url().replaceAll("[?#].*", ""),
                failure.outcome().tag(),
                failure.getMessage());
    }

    private static Outcome outcome(Throwable error) {
        return error instanceof FetchException failure ? failure.outcome() : Outcome.REFUSED;
    }

    private Mono<byte[]> begin(ImageRef ref, FetchBudget budget) {
        if (!properties.httpEnabled()) {
            throw new GenerationException(
                    ErrorType.INVALID_IMAGE_URL,
                    "image URLs are not fetched by this service; only data: URLs are",
                    ref.param());
        }
        ImageUrl url = ImageUrl.parse(ref.url(), hosts.plainNames(), ref.param());
        hosts.check(url, ref.param());
        Fetch fetch = new Fetch(ref, budget, new FetchDeadline(properties.fetchTimeout(), Schedulers.parallel()));
        return Mono.defer(() -> follow(url, 0, fetch)).transformDeferred(RetryOperator.of(retry));
    }

    @Override
    public void close() {
        network.names().close();
    }

    /** Fetches that may begin at once. */
    int freeSlots() {
        return limits.free();
    }

    /** Hosts that fetches are running or waiting for. */
    int hostsInUse() {
        return limits.hostsInUse();
    }

    /** Lets hosts that have failed be asked again at once. */
    void forgetFailures() {
        limits.forgetFailures();
    }

    /** Fetches a URL and whatever it redirects to. */
    private Mono<byte[]> follow(ImageUrl url, int redirects, Fetch fetch) {
        return reply(url, fetch).flatMap(reply -> {
            if (reply instanceof ImageClient.Body body) {
                return Mono.just(body.bytes());
            }
            if (redirects == properties.maxRedirects()) {
                return Mono.error(FetchException.of(Outcome.STATUS, "more than " + redirects + " redirects"));
            }
            return follow(target(url, ((ImageClient.Redirect) reply).location(), fetch.ref()), redirects + 1, fetch);
        });
    }

    private ImageUrl target(ImageUrl url, String location, ImageRef ref) {
        ImageUrl target;
        try {
            target = url.resolve(location, hosts.plainNames(), ref.param());
            hosts.check(target, ref.param());
        } catch (GenerationException e) {
            throw FetchException.of(Outcome.REFUSED, "redirected where it must not go: " + e.getMessage());
        }
        if (url.secure() && !target.secure()) {
            throw FetchException.of(Outcome.REFUSED, "redirected from https to http");
        }
        return target;
    }

    private Mono<ImageClient.Reply> reply(ImageUrl url, Fetch fetch) {
        FetchCache.Entry kept = cache.get(url.uri());
        if (kept != null && cache.isFresh(kept)) {
            return fetch.budget().tryTake(kept.bytes().length)
                    ? Mono.just(new ImageClient.Body(kept.bytes()))
                    : Mono.error(fetch.budget().exceeded());
        }
        FetchCache.Entry asked = kept != null && kept.hasValidator() ? kept : null;
        return limits.inTurn(
                        url.hostAndPort(),
                        fetch.budget().client(),
                        fetch.deadline(),
                        client.get(url, asked, fetch.budget()))
                .doOnNext(reply -> {
                    if (reply instanceof ImageClient.Body body) {
                        meters.fetched(body.bytes().length);
                    }
                });
    }

    /** What the client is told. */
    private static GenerationException told(FetchException failure, ImageRef ref) {
        return switch (failure.outcome()) {
            case TOO_LARGE ->
                new GenerationException(
                        ErrorType.IMAGE_TOO_LARGE, String.valueOf(failure.getMessage()), ref.param(), failure);
            case BUSY ->
                new GenerationException(
                        ErrorType.OVERLOADED, "too many images are being fetched", ref.param(), failure);
            default -> new GenerationException(ErrorType.INVALID_IMAGE_URL, FAILED, ref.param(), failure);
        };
    }
}
