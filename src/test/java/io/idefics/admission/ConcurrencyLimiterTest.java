package io.idefics.admission;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.resilience4j.bulkhead.Bulkhead;
import io.github.resilience4j.bulkhead.BulkheadConfig;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Priority;
import io.idefics.generation.Work;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ConcurrencyLimiterTest {

    private final ConcurrencyLimiter limiter = limiter(2, 100, 1000);

    @Test
    void acquire_full_isRefusedAtOnce() {
        acquire();
        acquire();

        assertThatThrownBy(this::acquire)
                .isInstanceOfSatisfying(
                        GenerationException.class, e -> assertThat(e.type()).isEqualTo(ErrorType.OVERLOADED))
                .hasMessage("The service is busy with 2 requests, the most it admits; try again later.");
        assertThat(limiter.refused(Refusal.REQUESTS)).isEqualTo(1);
    }

    @Test
    void hold_moreThanOthersLeave_isRefusedAndTakesNothing() {
        Permit first = acquire();
        Permit second = acquire();
        first.hold(60);

        assertThatThrownBy(() -> second.hold(41))
                .isInstanceOfSatisfying(
                        GenerationException.class, e -> assertThat(e.type()).isEqualTo(ErrorType.OVERLOADED))
                .hasMessage("The service has no memory left for a body of 41 bytes; try again later.");
        assertThat(limiter.bodyBytes()).isEqualTo(60);
        assertThat(limiter.refused(Refusal.MEMORY)).isEqualTo(1);
        second.hold(40);
        assertThat(limiter.bodyBytes()).isEqualTo(limiter.maxBodyBytes());
    }

    @Test
    void hold_again_changesWhatIsHeld() {
        Permit permit = acquire();

        permit.hold(100);
        permit.hold(10);
        assertThat(limiter.bodyBytes()).isEqualTo(10);
        permit.hold(100);
        assertThat(limiter.bodyBytes()).isEqualTo(100);
    }

    @Test
    void close_holding_givesEverythingBackOnce() {
        Permit permit = acquire();
        permit.hold(70);
        reserve(permit, 10, 90, 0);

        permit.close();
        permit.close();
        permit.hold(50);
        reserve(permit, 1, 1, 1);

        assertThat(limiter.bodyBytes()).isZero();
        assertThat(limiter.tokens()).isZero();
    }

    @Test
    void close_twice_makesRoomForOne() {
        Permit permit = acquire();
        acquire();

        permit.close();
        permit.close();

        assertThat(limiter.available()).isEqualTo(1);
        assertThat(limiter.requests()).isEqualTo(1);
        assertThat(limiter.maxRequests()).isEqualTo(2);
    }

    @Test
    void reserve_room_takesPromptAnswersAndPictures() {
        Permit permit = acquire();

        reserve(permit, 10, 20, 3);
        reserve(permit, 1, 2, 0);

        assertThat(limiter.tokens()).isEqualTo(10 + 20 + 3 * 64 + 3);
        assertThat(limiter.maxTokens()).isEqualTo(1000);
    }

    @Test
    void reserve_moreThanOthersLeave_isRefusedAndTakesNothing() {
        reserve(acquire(), 100, 500, 0);
        Permit second = acquire();

        assertThatThrownBy(() -> reserve(second, 1, 400, 0))
                .isInstanceOfSatisfying(
                        GenerationException.class, e -> assertThat(e.type()).isEqualTo(ErrorType.OVERLOADED))
                .hasMessage("The service is busy and has no room left for the 401 tokens that this request may take;"
                        + " try again later.");
        assertThat(limiter.tokens()).isEqualTo(600);
        assertThat(limiter.refused(Refusal.WORK)).isEqualTo(1);
        reserve(second, 0, 400, 0);
        assertThat(limiter.tokens()).isEqualTo(1000);
    }

    @Test
    void reserve_moreThanThereEverIs_isTheMistakeOfTheClient() {
        Permit permit = acquire();
        reserve(permit, 600, 0, 0);

        assertThatThrownBy(() -> reserve(permit, 17, 320, 1))
                .isInstanceOfSatisfying(
                        GenerationException.class, e -> assertThat(e.type()).isEqualTo(ErrorType.INVALID_VALUE))
                .hasMessage(
                        "The request may take 1001 tokens, each picture counted as 64, but the service admits at most"
                                + " 1000 at a time. Ask for fewer or shorter answers.");
        assertThat(limiter.tokens()).isEqualTo(600);
        assertThat(limiter.refused(Refusal.WORK)).isZero();
    }

    @ParameterizedTest
    @EnumSource
    void acquire_onlyOnePriority_mayUseEverything(Priority priority) {
        ConcurrencyLimiter limiter = limiter(10, 100, 1000);
        for (int i = 0; i < 10; i++) {
            reserve(limiter.acquire(priority), 0, 100, 0);
        }

        assertThat(limiter.available()).isZero();
        assertThat(limiter.tokens()).isEqualTo(1000);
    }

    @Test
    void acquire_lowerPriority_leavesRoomForHigherOnesThatHaveCome() {
        ConcurrencyLimiter limiter = limiter(10, 100, 1000);
        limiter.acquire(Priority.HIGH).close();
        assertThat(acquireAll(limiter, Priority.LOW)).isEqualTo(5);
        assertThat(acquireAll(limiter, Priority.NORMAL)).isEqualTo(3);
        assertThat(acquireAll(limiter, Priority.HIGH)).isEqualTo(2);

        assertThatThrownBy(() -> limiter.acquire(Priority.NORMAL))
                .hasMessage(
                        "The service is busy with 8 requests, the most it admits of this priority; try again later.");
        assertThatThrownBy(() -> limiter.acquire(Priority.HIGH))
                .hasMessage("The service is busy with 10 requests, the most it admits; try again later.");
    }

    @Test
    void reserve_lowerPriority_leavesRoomForHigherOnesThatHaveCome() {
        ConcurrencyLimiter limiter = limiter(10, 100, 1000);
        limiter.acquire(Priority.HIGH).close();
        Permit low = limiter.acquire(Priority.LOW);
        Permit normal = limiter.acquire(Priority.NORMAL);
        Permit high = limiter.acquire(Priority.HIGH);

        assertThatThrownBy(() -> reserve(low, 0, 501, 0)).hasMessageContaining("at most 500 at a time");
        reserve(low, 0, 450, 0);
        assertThatThrownBy(() -> reserve(normal, 0, 351, 0)).hasMessageContaining("no room left for the 351 tokens");
        reserve(normal, 0, 350, 0);
        reserve(high, 0, 200, 0);

        assertThat(limiter.tokens()).isEqualTo(1000);
    }

    @Test
    void acquire_oneRequestAtATime_isForEveryPriority() {
        ConcurrencyLimiter limiter = limiter(1, 100, 1000);
        limiter.acquire(Priority.HIGH).close();

        limiter.acquire(Priority.LOW).close();
        limiter.acquire(Priority.NORMAL).close();
        assertThat(limiter.available()).isEqualTo(1);
    }

    @Test
    void acquireAndReserve_manyThreads_neverExceedTheLimitsAndLoseNothing() throws Exception {
        ConcurrencyLimiter limiter = limiter(10, 100, 1000);
        limiter.acquire(Priority.HIGH).close();
        AtomicInteger lowInside = new AtomicInteger();
        AtomicLong served = new AtomicLong();
        Callable<Void> client = () -> {
            Random random = new Random(Thread.currentThread().getId());
            for (int i = 0; i < 2_000; i++) {
                Priority priority = Priority.values()[random.nextInt(3)];
                try (Permit permit = limiter.acquire(priority)) {
                    if (priority == Priority.LOW) {
                        assertThat(lowInside.incrementAndGet()).isLessThanOrEqualTo(5);
                    }
                    try {
                        reserve(permit, random.nextInt(200), random.nextInt(200), 0);
                        permit.hold(random.nextInt(30));
                        served.incrementAndGet();
                    } finally {
                        assertThat(limiter.tokens()).isLessThanOrEqualTo(1000);
                        assertThat(limiter.requests()).isLessThanOrEqualTo(10);
                        assertThat(limiter.bodyBytes()).isLessThanOrEqualTo(100);
                        if (priority == Priority.LOW) {
                            lowInside.decrementAndGet();
                        }
                    }
                } catch (GenerationException e) {
                    assertThat(e.type()).isEqualTo(ErrorType.OVERLOADED);
                }
            }
            return null;
        };
        runAtOnce(16, client);

        assertThat(served.get()).isPositive();
        assertThat(limiter.available()).isEqualTo(10);
        assertThat(limiter.tokens()).isZero();
        assertThat(limiter.bodyBytes()).isZero();
    }

    @Test
    void close_whileReserving_losesNothing() throws Exception {
        ConcurrencyLimiter limiter = limiter(2, 100, 1000);
        for (int i = 0; i < 500; i++) {
            Permit permit = limiter.acquire(Priority.NORMAL);
            AtomicInteger turn = new AtomicInteger();
            runAtOnce(2, () -> {
                if (turn.getAndIncrement() == 0) {
                    permit.close();
                } else {
                    reserve(permit, 1, 1, 1);
                }
                return null;
            });
            assertThat(limiter.tokens()).isZero();
        }
        assertThat(limiter.available()).isEqualTo(2);
    }

    @Test
    void priorityShares_outOfOrder_areRefused() {
        assertThatThrownBy(() -> new PriorityShares(0.9, 0.8))
                .hasMessage("idefics.admission.low-share is 0.9 and idefics.admission.normal-share is 0.8 but must be"
                        + " above 0 and at most 1, and the first not more than the second");
        assertThatThrownBy(() -> new PriorityShares(0, 0.8)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new PriorityShares(0.5, 1.1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new PriorityShares(Double.NaN, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatCode(() -> new PriorityShares(1, 1)).doesNotThrowAnyException();
    }

    private Permit acquire() {
        return limiter.acquire(Priority.NORMAL);
    }

    private static int acquireAll(ConcurrencyLimiter limiter, Priority priority) {
        List<Permit> permits = new ArrayList<>();
        try {
            while (true) {
                permits.add(limiter.acquire(priority));
            }
        } catch (GenerationException e) {
            return permits.size();
        }
    }

    private static void reserve(Permit permit, int promptTokens, int answerTokens, int pictures) {
        try {
            permit.reserve(new Work(promptTokens, answerTokens, pictures))
                    .toCompletableFuture()
                    .get();
        } catch (ExecutionException e) {
            throw (GenerationException) e.getCause();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void receive_bodyOnItsWay_leavesThePlaceToOthers() {
        Permit permit = acquire();

        permit.receive("a");
        assertThat(limiter.available()).isEqualTo(2);
        assertThat(limiter.arriving()).isEqualTo(1);

        permit.received();
        assertThat(limiter.available()).isEqualTo(1);
        assertThat(limiter.arriving()).isZero();
        permit.close();
        assertThat(limiter.available()).isEqualTo(2);
    }

    @Test
    void received_othersTookAllPlaces_isRefusedAndReleasesNothing() {
        Permit permit = acquire();
        permit.receive("a");
        acquire();
        acquire();

        assertThatThrownBy(permit::received).isInstanceOfSatisfying(GenerationException.class, e -> assertThat(e.type())
                .isEqualTo(ErrorType.OVERLOADED));
        permit.close();

        assertThat(limiter.available()).isZero();
        assertThat(limiter.arriving()).isZero();
    }

    @Test
    void close_bodyOnItsWay_leavesNothing() {
        Permit permit = acquire();
        permit.receive("a");
        permit.hold(70);

        permit.close();
        permit.received();

        assertThat(limiter.available()).isEqualTo(2);
        assertThat(limiter.arriving()).isZero();
        assertThat(limiter.bodyBytes()).isZero();
    }

    @Test
    void hold_moreThanAGreedyClientLeaves_takesItsMemory() {
        Permit first = acquire();
        CompletableFuture<Void> firstBody = first.receive("greedy");
        first.hold(40);
        for (int i = 0; i < 2; i++) {
            Permit further = acquire();
            further.receive("greedy");
            further.hold(30);
        }
        Permit other = acquire();
        other.receive("other");

        other.hold(35);

        assertThat(firstBody).isCompletedExceptionally();
        assertThat(limiter.bodyBytes()).isEqualTo(95);
        assertThat(limiter.displaced()).isEqualTo(1);
    }

    @Test
    void beginWait_admitted_leavesThePlaceToAnotherUntilTheEnd() {
        Permit waiting = acquire();
        waiting.beginWait();
        waiting.beginWait();
        acquire();
        Permit third = acquire();

        assertThat(limiter.requests()).isEqualTo(2);
        assertThat(limiter.fetching()).isEqualTo(1);
        third.close();
        waiting.endWait();
        assertThat(limiter.requests()).isEqualTo(1);
        waiting.endWait();
        assertThat(limiter.requests()).isEqualTo(2);
        assertThat(limiter.fetching()).isZero();
        waiting.close();
        assertThat(limiter.requests()).isEqualTo(1);
    }

    @Test
    void endWait_placesTakenMeanwhile_isRefusedAndHoldsNothing() {
        Permit waiting = acquire();
        waiting.beginWait();
        acquire();
        acquire();

        assertThatThrownBy(waiting::endWait)
                .hasMessage("The service became busy while the pictures were on their way; try again later.");

        waiting.close();
        assertThat(limiter.requests()).isEqualTo(2);
        assertThat(limiter.fetching()).isZero();
    }

    @Test
    void beginWait_tooManyWait_isRefusedAndKeepsItsPlace() {
        for (int i = 0; i < 2; i++) {
            acquire().beginWait();
        }
        Permit third = acquire();

        assertThatThrownBy(third::beginWait)
                .hasMessage("The service is busy with 2 requests that wait for their pictures, the most it admits; try"
                        + " again later.");

        assertThat(limiter.requests()).isEqualTo(1);
        third.close();
        assertThat(limiter.requests()).isZero();
        assertThat(limiter.fetching()).isEqualTo(2);
    }

    @Test
    void close_whileWaiting_givesTheWaitBackOnce() {
        Permit waiting = acquire();
        waiting.beginWait();

        waiting.close();
        waiting.endWait();
        waiting.close();

        assertThat(limiter.requests()).isZero();
        assertThat(limiter.fetching()).isZero();
        waiting.beginWait();
        assertThat(limiter.fetching()).isZero();
    }

    private static void runAtOnce(int threads, Callable<Void> task) throws Exception {
        ExecutorService executor = Executors.newFixedThreadPool(threads);
        try {
            for (Future<Void> done : executor.invokeAll(Collections.nCopies(threads, task))) {
                done.get();
            }
        } finally {
            executor.shutdown();
        }
    }

    private static ConcurrencyLimiter limiter(int requests, long bodyBytes, long tokens) {
        BulkheadConfig config = BulkheadConfig.custom()
                .maxConcurrentCalls(requests)
                .maxWaitDuration(Duration.ZERO)
                .build();
        return new ConcurrencyLimiter(
                Bulkhead.of("test", config), bodyBytes, tokens, new PriorityShares(0.5, 0.8), new Arrivals(8, 1), 2);
    }

    @Test
    void acquire_noRoom_givesTheCallersOwnPlaceBack() {
        Limits limits = oneAtATime();
        acquire();
        Permit second = acquire();

        assertThatThrownBy(() -> limiter.acquire(Priority.NORMAL, allowance(limits)))
                .isInstanceOfSatisfying(
                        GenerationException.class, e -> assertThat(e.type()).isEqualTo(ErrorType.OVERLOADED));

        assertThat(limits.places().callers()).isZero();
        second.close();
        limiter.acquire(Priority.NORMAL, allowance(limits)).close();
    }

    @Test
    void acquire_callerHasNoPlaceLeft_takesNothingOfWhatIsForAll() {
        Limits limits = oneAtATime();
        Permit first = limiter.acquire(Priority.NORMAL, allowance(limits));

        assertThatThrownBy(() -> limiter.acquire(Priority.NORMAL, allowance(limits)))
                .isInstanceOfSatisfying(
                        GenerationException.class, e -> assertThat(e.type()).isEqualTo(ErrorType.RATE_LIMITED));
        assertThat(limiter.available()).isEqualTo(1);

        first.close();
        first.close();
        assertThat(limits.places().callers()).isZero();
        limiter.acquire(Priority.NORMAL, allowance(limits));
        assertThatThrownBy(() -> limiter.acquire(Priority.NORMAL, allowance(limits)))
                .isInstanceOf(GenerationException.class);
    }

    private static Limits oneAtATime() {
        LimitsProperties.Redis none =
                new LimitsProperties.Redis(null, Duration.ofSeconds(1), LimitsProperties.OnFailure.OPEN);
        return Limits.of(new LimitsProperties(0, 0, 0, 1, none));
    }

    private static Allowance allowance(Limits limits) {
        return limits.request(Caller.at(null, Set.of())).toCompletableFuture().join();
    }
}
