package io.idefics.admission;

import io.idefics.generation.Priority;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/**
 * Times the check of keys that are right, right but for their end, and unknown, which must not differ. Not a test: run its main
 * method with the class path of the tests. The kinds take turns in random order, so that what else the machine does hits all
 * of them; the median of each has a 95 % interval from the order statistics of its samples (binomial, normal
 * approximation).
 */
final class KeyTimingBenchmark {

    private static final int KEYS = 64;
    private static final int RANDOM_CHARS = 43;

    /** Calls that make a sample: more than the clock's resolution. */
    private static final int CALLS = 50;

    private static final int SAMPLES = 20_000;
    private static final int WARMUP = 4_000;
    private static final double Z95 = 1.96;

    private static final Random RANDOM = new Random(7);

    private KeyTimingBenchmark() {}

    public static void main(String[] args) {
        List<String> secrets = new ArrayList<>();
        List<ApiKey> known = new ArrayList<>();
        for (int i = 0; i < KEYS; i++) {
            secrets.add(secret());
            known.add(new ApiKey(
                    "key-" + i,
                    ApiKey.parseHash(ApiKey.hashOf(secrets.get(i))),
                    Set.of(Scope.INFERENCE),
                    Priority.NORMAL,
                    ClientLimits.NONE_OF_ITS_OWN));
        }
        ApiKeys keys = new ApiKeys(known);
        Map<String, String> presented = new LinkedHashMap<>();
        presented.put("the first key", secrets.get(0));
        presented.put("the key in the middle", secrets.get(KEYS / 2));
        presented.put("the last key", secrets.get(KEYS - 1));
        for (int shared : new int[] {0, 16, 42}) {
            presented.put("wrong, shares " + shared + " of 43", wrong(secrets.get(0), shared));
        }
        presented.put("unknown", secret());
        presented.put("unknown, another", secret());
        report(System.out, presented, measure(keys, List.copyOf(presented.values())));
    }

    private static double[][] measure(ApiKeys keys, List<String> presented) {
        double[][] nanos = new double[presented.size()][SAMPLES];
        List<Integer> order = new ArrayList<>();
        for (int kind = 0; kind < presented.size(); kind++) {
            order.add(kind);
        }
        int found = 0;
        for (int sample = -WARMUP; sample < SAMPLES; sample++) {
            Collections.shuffle(order, RANDOM);
            for (int kind : order) {
                String key = presented.get(kind);
                long start = System.nanoTime();
                for (int i = 0; i < CALLS; i++) {
                    found += keys.find(key).isPresent() ? 1 : 0;
                }
                long end = System.nanoTime();
                if (sample >= 0) {
                    nanos[kind][sample] = (end - start) / (double) CALLS;
                }
            }
        }
        if (found != 3 * CALLS * (SAMPLES + WARMUP)) {
            throw new AssertionError("not three right keys: " + found);
        }
        return nanos;
    }

    private static void report(PrintStream out, Map<String, String> presented, double[][] nanos) {
        out.printf(Locale.ROOT, "%d keys, %d samples of %d checks each%n", KEYS, SAMPLES, CALLS);
        out.printf("%-24s %12s   %s%n", "presented", "median ns", "95 % interval");
        int kind = 0;
        for (String name : presented.keySet()) {
            double[] sorted = nanos[kind++];
            Arrays.sort(sorted);
            int half = (int) Math.ceil(Z95 * Math.sqrt(SAMPLES) / 2);
            out.printf(
                    Locale.ROOT,
                    "%-24s %12.1f   %.1f .. %.1f%n",
                    name,
                    sorted[SAMPLES / 2],
                    sorted[SAMPLES / 2 - half],
                    sorted[SAMPLES / 2 + half]);
        }
    }

    private static String secret() {
        byte[] bytes = new byte[32];
        RANDOM.nextBytes(bytes);
        return "sk-idefics-" + Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    /** The same but for the characters after the first ones of its random part. */
    private static String wrong(String secret, int shared) {
        int kept = secret.length() - RANDOM_CHARS + shared;
        StringBuilder wrong = new StringBuilder(secret.substring(0, kept));
        for (int i = kept; i < secret.length(); i++) {
            wrong.append(secret.charAt(i) == 'A' ? 'B' : 'A');
        }
        return wrong.toString();
    }
}
