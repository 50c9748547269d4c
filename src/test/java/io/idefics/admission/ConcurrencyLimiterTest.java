package io.idefics.admission;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.resilience4j.bulkhead.Bulkhead;
import io.github.resilience4j.bulkhead.BulkheadConfig;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class ConcurrencyLimiterTest {

    private final ConcurrencyLimiter limiter = new ConcurrencyLimiter(
            Bulkhead.of(
                    "test",
                    BulkheadConfig.custom()
                            .maxConcurrentCalls(2)
                            .maxWaitDuration(Duration.ZERO)
                            .build()),
            100);

    @Test
    void acquire_full_isRefusedAtOnce() {
        limiter.acquire();
        limiter.acquire();

        assertThatThrownBy(limiter::acquire)
                .isInstanceOfSatisfying(
                        GenerationException.class, e -> assertThat(e.type()).isEqualTo(ErrorType.OVERLOADED))
                .hasMessage("The service is busy with 2 requests, the most it admits; try again later.");
    }

    @Test
    void hold_moreThanOthersLeave_isRefusedAndTakesNothing() {
        Permit first = limiter.acquire();
        Permit second = limiter.acquire();
        first.hold(60);

        assertThatThrownBy(() -> second.hold(41))
                .isInstanceOfSatisfying(
                        GenerationException.class, e -> assertThat(e.type()).isEqualTo(ErrorType.OVERLOADED))
                .hasMessage("The service has no memory left for a body of 41 bytes; try again later.");
        assertThat(limiter.availableBytes()).isEqualTo(40);
        second.hold(40);
        assertThat(limiter.availableBytes()).isZero();
    }

    @Test
    void hold_again_changesWhatIsHeld() {
        Permit permit = limiter.acquire();

        permit.hold(100);
        permit.hold(10);
        assertThat(limiter.availableBytes()).isEqualTo(90);
        permit.hold(100);
        assertThat(limiter.availableBytes()).isZero();
    }

    @Test
    void close_holding_givesTheMemoryBackOnce() {
        Permit permit = limiter.acquire();
        permit.hold(70);

        permit.close();
        permit.close();
        permit.hold(50);

        assertThat(limiter.availableBytes()).isEqualTo(100);
    }

    @Test
    void close_twice_makesRoomForOne() {
        Permit permit = limiter.acquire();
        limiter.acquire();

        permit.close();
        permit.close();

        assertThat(limiter.available()).isEqualTo(1);
    }
}
