package io.idefics.admission;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Expiry;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Counts for one instance.
 *
 * <p>A caller is forgotten once all its limits are as if it had never asked, and of too many callers those that ask least.
 */
final class LocalCounters implements Counters {

    /** Some 15 MB of them. */
    static final int MOST_CALLERS = 10_000;

    private record Key(String caller, Quota quota) {}

    private record Windows(@Nullable Window requests, @Nullable Window tokens, @Nullable Window pictures) {

        Duration reset() {
            return tokens == null ? Duration.ZERO : tokens.reset(); // no other is overdrawn
        }
    }

    private final LongSupplier nanoTime;
    private final Cache<Key, Windows> callers;

    LocalCounters(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
        this.callers = Caffeine.newBuilder()
                .maximumSize(MOST_CALLERS)
                .expireAfter(Expiry.<Key, Windows>accessing((key, windows) -> lifetime(windows)))
                .ticker(nanoTime::getAsLong)
                .executor(Runnable::run)
                .build();
    }

    private static Duration lifetime(Windows windows) {
        Duration reset = windows.reset();
        return reset.compareTo(Window.PERIOD) < 0 ? Window.PERIOD : reset;
    }

    @Override
    public CompletionStage<Balances> takeRequest(String caller, Quota quota) {
        Windows windows = windows(caller, quota);
        Balances balances = new Balances(
                windows.requests == null ? null : windows.requests.take(1),
                windows.tokens == null ? null : windows.tokens.look(),
                windows.pictures == null ? null : windows.pictures.look());
        return CompletableFuture.completedFuture(balances);
    }

    @Override
    public CompletionStage<@Nullable Balance> takePictures(String caller, Quota quota, int pictures) {
        Window window = windows(caller, quota).pictures;
        return CompletableFuture.completedFuture(window == null ? null : window.take(pictures));
    }

    @Override
    public void takeTokens(String caller, Quota quota, long tokens) {
        // The lifetime is that after the update, so that a debt is remembered until it is paid.
        callers.asMap().compute(new Key(caller, quota), (key, known) -> {
            Windows windows = known == null ? newWindows(quota) : known;
            if (windows.tokens != null) {
                windows.tokens.take((int) Math.min(tokens, LimitsProperties.MOST));
            }
            return windows;
        });
    }

    /** The number of callers that are known. */
    long size() {
        callers.cleanUp();
        return callers.estimatedSize();
    }

    private Windows windows(String caller, Quota quota) {
        return callers.get(new Key(caller, quota), key -> newWindows(quota));
    }

    private Windows newWindows(Quota quota) {
        return new Windows(
                quota.requests() == 0 ? null : Window.strict(quota.requests(), nanoTime),
                quota.tokens() == 0 ? null : Window.overdrawn(quota.tokens(), nanoTime),
                quota.pictures() == 0 ? null : Window.strict(quota.pictures(), nanoTime));
    }
}
