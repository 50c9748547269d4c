package io.idefics.bench;

import org.jspecify.annotations.Nullable;

/** Workloads for tests. */
final class Workloads {

    private Workloads() {}

    static Workload text(int turns) {
        return of("0", null, 0, turns, 1);
    }

    static Workload of(String images, @Nullable Integer distinctImages, int sharedPrefixTokens, int turns, long seed) {
        return new Workload(8, 4, null, ImageMix.parse(images), distinctImages, 32, sharedPrefixTokens, turns, 0, seed);
    }
}
