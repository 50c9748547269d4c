package io.idefics.grammar;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The automaton of the decimal numbers within bounds that are multiples of a number. They are written without an
 * exponent, with at most 15 digits after a zero, or at most 15 digits in all, so that a double tells them apart. Safe
 * for use by several threads.
 */
final class NumberAutomaton {

    /*
     * A state is the text so far. What may follow is found by arithmetic: the digits that may still come span an
     * interval, and the question is whether it has a multiple within the bounds.
     */

    /** States are forgotten beyond this number; those in use live on. */
    private static final int MAX_STATES = 10_000;

    private static final Object DEAD = new Object();

    /**
     * What the numbers are.
     *
     * @param integer whether they have no fraction
     * @param multipleOf what they are multiples of, above 0
     */
    record Bounds(
            boolean integer,
            @Nullable BigDecimal min,
            boolean minExcluded,
            @Nullable BigDecimal max,
            boolean maxExcluded,
            @Nullable BigDecimal multipleOf) {}

    /** The numbers of one sign without it. */
    private record Magnitudes(
            @Nullable BigDecimal min, boolean minExcluded, @Nullable BigDecimal max, boolean maxExcluded) {}

    private final Bounds bounds;
    private final Magnitudes positive;
    private final Magnitudes negative;
    private final int maxWholeDigits;
    private final Map<String, Object> states = new ConcurrentHashMap<>();

    private NumberAutomaton(Bounds bounds) {
        this.bounds = bounds;
        this.positive = magnitudes(bounds.min(), bounds.minExcluded(), bounds.max(), bounds.maxExcluded(), false);
        this.negative = magnitudes(
                negated(bounds.max()), bounds.maxExcluded(), negated(bounds.min()), bounds.minExcluded(), true);
        // Many a validator divides doubles.
        boolean precise = bounds.integer() && bounds.multipleOf() == null;
        int usual = precise ? JsonNodes.MAX_INTEGER_DIGITS : JsonNodes.MAX_DIGITS;
        this.maxWholeDigits = Math.max(usual, Math.max(digits(positive.min()), digits(negative.min())) + 1);
    }

    /** The first state; null where there is no such number. */
    static @Nullable ByteState of(Bounds bounds) {
        return new NumberAutomaton(bounds).state("") instanceof State state ? state : null;
    }

    private static @Nullable BigDecimal negated(@Nullable BigDecimal value) {
        return value == null ? null : value.negate();
    }

    private static int digits(@Nullable BigDecimal value) {
        return value == null ? 0 : Math.max(0, value.precision() - value.scale());
    }

    private static Magnitudes magnitudes(
            @Nullable BigDecimal min,
            boolean minExcluded,
            @Nullable BigDecimal max,
            boolean maxExcluded,
            boolean zeroExcluded) {
        return min == null || min.signum() < 0 || min.signum() == 0 && zeroExcluded
                ? new Magnitudes(BigDecimal.ZERO, zeroExcluded, max, maxExcluded)
                : new Magnitudes(min, minExcluded, max, maxExcluded);
    }

    private Object state(String text) {
        Object known = states.get(text);
        if (known == null) {
            int cost = cost(text);
            if (states.size() >= MAX_STATES) {
                states.clear();
            }
            Object made = cost >= Node.IMPOSSIBLE ? DEAD : new State(text, cost);
            Object earlier = states.putIfAbsent(text, made);
            known = earlier == null ? made : earlier;
        }
        return known;
    }

    /** The least number of characters that make a number of this text. */
    private int cost(String text) {
        boolean minus = text.startsWith("-");
        String digits = minus ? text.substring(1) : text;
        Magnitudes magnitudes = minus ? negative : positive;
        int point = digits.indexOf('.');
        if (point >= 0) {
            BigDecimal value = new BigDecimal("0" + digits + "0"); // may end in the point
            return fractionCost(
                    value, digits.length() - point - 1, maxFractionDigits(digits.substring(0, point)), magnitudes);
        }
        if (!digits.isEmpty()) {
            return wholeCost(digits, magnitudes);
        }
        int least = minus ? Node.IMPOSSIBLE : Node.plus(1, cost("-"));
        for (char first = '0'; first <= '9'; first++) {
            least = Math.min(least, Node.plus(1, cost(text + first)));
        }
        return least;
    }

    /** The least number of characters after some digits before the point. */
    private int wholeCost(String digits, Magnitudes magnitudes) {
        int least = Node.IMPOSSIBLE;
        int more = digits.equals("0") ? 0 : maxWholeDigits - digits.length();
        BigInteger low = new BigInteger(digits);
        BigInteger width = BigInteger.ONE;
        for (int added = 0; added <= more && added < least; added++) {
            if (exists(new BigDecimal(low), new BigDecimal(width), 0, magnitudes)) {
                return added;
            }
            int fraction = digits.equals("0") ? maxFractionDigits("0") : maxFractionDigits(digits.length() + added);
            for (int places = 1; places <= fraction && added + 1 + places < least; places++) {
                if (exists(new BigDecimal(low), new BigDecimal(width), places, magnitudes)) {
                    least = added + 1 + places;
                }
            }
            low = low.multiply(BigInteger.TEN);
            width = width.multiply(BigInteger.TEN);
        }
        return least;
    }

    /** The least number of characters after the point and some digits behind it. */
    private int fractionCost(BigDecimal value, int places, int maxPlaces, Magnitudes magnitudes) {
        BigDecimal width = BigDecimal.ONE.movePointLeft(places);
        for (int all = Math.max(1, places); all <= maxPlaces; all++) {
            if (exists(value, width, all, magnitudes)) {
                return all - places;
            }
        }
        return Node.IMPOSSIBLE;
    }

    private int maxFractionDigits(String whole) {
        return whole.equals("0") ? maxFractionDigits(0) : maxFractionDigits(whole.length());
    }

    private int maxFractionDigits(int wholeDigits) {
        return bounds.integer() ? 0 : Math.max(0, JsonNodes.MAX_DIGITS - wholeDigits);
    }

    /** Whether there is such a number from {@code low} to less than {@code low + width} with that many places. */
    private boolean exists(BigDecimal low, BigDecimal width, int places, Magnitudes magnitudes) {
        BigDecimal multipleOf = bounds.multipleOf();
        int scale = Math.max(places, multipleOf == null ? 0 : Math.max(0, multipleOf.scale()));
        BigInteger step = BigInteger.TEN.pow(scale - places);
        if (multipleOf != null) {
            BigInteger multiple = multipleOf.movePointRight(scale).toBigIntegerExact();
            step = step.divide(step.gcd(multiple)).multiply(multiple);
        }
        BigInteger first = ceiling(low, scale);
        BigInteger last = ceiling(low.add(width), scale).subtract(BigInteger.ONE);
        BigDecimal min = magnitudes.min();
        if (min != null) {
            first = first.max(magnitudes.minExcluded() ? floor(min, scale).add(BigInteger.ONE) : ceiling(min, scale));
        }
        BigDecimal max = magnitudes.max();
        if (max != null) {
            last = last.min(
                    magnitudes.maxExcluded() ? ceiling(max, scale).subtract(BigInteger.ONE) : floor(max, scale));
        }
        if (last.signum() < 0) {
            return false;
        }
        BigInteger multiple = last.subtract(last.mod(step));
        return multiple.compareTo(first) >= 0;
    }

    private static BigInteger floor(BigDecimal value, int scale) {
        return value.movePointRight(scale).setScale(0, RoundingMode.FLOOR).toBigInteger();
    }

    private static BigInteger ceiling(BigDecimal value, int scale) {
        return value.movePointRight(scale).setScale(0, RoundingMode.CEILING).toBigInteger();
    }

    /** A text that some number begins with. */
    private final class State extends ByteState {

        private final String text;
        private final int cost;

        State(String text, int cost) {
            this.text = text;
            this.cost = cost;
        }

        @Override
        @Nullable
        ByteState next(int value) {
            char c = (char) value;
            boolean point = text.indexOf('.') >= 0;
            boolean empty = text.isEmpty() || text.equals("-");
            boolean possible =
                    switch (c) {
                        case '-' -> text.isEmpty();
                        case '.' -> !point && !empty && !bounds.integer();
                        default -> c >= '0' && c <= '9' && (point || !text.equals("0") && !text.equals("-0"));
                    };
            return possible && state(text + c) instanceof State next ? next : null;
        }

        @Override
        boolean accepting() {
            return cost == 0;
        }

        @Override
        int cost() {
            return cost;
        }
    }
}
