package io.idefics.admission;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class PlacesTest {

    private final Places places = new Places();

    @Test
    void take_allTaken_refusesThatCallerAlone() {
        assertThat(places.take("a", 2)).isTrue();
        assertThat(places.take("a", 2)).isTrue();
        assertThat(places.take("a", 2)).isFalse();
        assertThat(places.take("b", 2)).isTrue();

        places.giveBack("a");
        assertThat(places.take("a", 2)).isTrue();
    }

    @Test
    void giveBack_theLast_forgetsTheCaller() {
        places.take("a", 2);
        places.take("a", 2);
        places.giveBack("a");
        assertThat(places.callers()).isEqualTo(1);

        places.giveBack("a");
        assertThat(places.callers()).isZero();
    }

    @Test
    void take_anythingByManyThreads_neverLetsInMoreThanMay() throws InterruptedException {
        int[] running = new int[1];
        int[] most = new int[1];
        Thread[] threads = new Thread[4];
        for (int i = 0; i < threads.length; i++) {
            Random random = new Random(i);
            threads[i] = new Thread(() -> {
                for (int step = 0; step < 20_000; step++) {
                    if (places.take("a", 3)) {
                        synchronized (running) {
                            most[0] = Math.max(most[0], ++running[0]);
                        }
                        if (random.nextBoolean()) {
                            Thread.onSpinWait();
                        }
                        synchronized (running) {
                            running[0]--;
                        }
                        places.giveBack("a");
                    }
                }
            });
            threads[i].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }

        assertThat(most[0]).isLessThanOrEqualTo(3);
        assertThat(places.callers()).isZero();
    }
}
