package io.idefics.grammar;

import io.idefics.grammar.Node.Bytes;
import io.idefics.grammar.Node.Choice;
import io.idefics.grammar.Node.Literal;
import io.idefics.grammar.Node.Repeat;
import io.idefics.grammar.Node.Sequence;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The automaton of a node without terminals and references: a regular expression. Its states are made when they are
 * first reached. Safe for use by several threads.
 */
final class NodeAutomaton {

    /*
     * A state is the set of frames that the text may go on with. Repetitions are counted in the frames, so a large
     * count costs nothing until it is reached.
     *
     * Where the next byte always decides which frame it belongs to, a text has one way through the expression. Then a
     * state in which all counts are beyond what one token can use up stands for all those with larger counts.
     *
     * Otherwise the sets may be many and large. If all of them are few, they are simply found beforehand. If not, only
     * the cheapest frames of each set are kept: some texts of the expression are then never generated, but each one
     * that is belongs to it, and time and memory stay bounded.
     */

    private static final int BYTES = 256;

    /** The most states of an ambiguous expression whose sets are followed without limit. */
    private static final int MAX_AMBIGUOUS_STATES = 2_000;

    /** The most frames that finding these states may look at. */
    private static final int MAX_AMBIGUOUS_WORK = 300_000;

    /** The frames that are kept of each set if there are more states. */
    private static final int MAX_FRAMES = 32;

    /** The frames that are looked at to find such a set. */
    private static final int MAX_EXPANDED = 256;

    /** The frames that may be looked at to find any set of the others. */
    private static final int MAX_EXACTLY_EXPANDED = 4_096;

    /** States are forgotten beyond this number; those in use live on. */
    private static final int MAX_STATES = 20_000;

    private static final Object DEAD = new Object();

    private final int longestToken;

    /** The class of each byte: bytes of one class lead to the same states. */
    private final byte[] classes;

    private final int[] representatives;
    private final boolean unambiguous;
    private final boolean exact;
    private final Map<Set<Frame>, State> states = new ConcurrentHashMap<>();
    private final State start;

    private NodeAutomaton(Node root, int longestToken, CompileEffort effort) {
        this.longestToken = longestToken;
        this.classes = new byte[BYTES];
        this.representatives = classify(root, classes, effort);
        Frame frame = Frame.of(root, Frame.END, 0);
        this.unambiguous = isUnambiguous(frame, effort);
        this.exact = unambiguous || isSmall(frame, effort);
        this.start = startOf(frame);
    }

    /**
     * The first state of the automaton of a node that has a text at all.
     *
     * @param nodes what the node was made with
     */
    static ByteState of(Node root, Nodes nodes) {
        return new NodeAutomaton(root, nodes.trie().longest(), nodes.effort()).start;
    }

    private State startOf(Frame frame) {
        Expansion expansion = expansion();
        expansion.add(frame);
        return state(expansion);
    }

    private Expansion expansion() {
        return new Expansion(false, exact ? MAX_EXACTLY_EXPANDED : MAX_EXPANDED);
    }

    private State state(Expansion expansion) {
        Set<Frame> frames = expansion.leaves();
        if (!exact && frames.size() > MAX_FRAMES) {
            frames = new LinkedHashSet<>(frames.stream()
                    .sorted(Comparator.comparingInt(frame -> frame.cost))
                    .limit(MAX_FRAMES)
                    .toList());
        }
        return state(frames, expansion.complete());
    }

    private State state(Set<Frame> frames, boolean accepting) {
        Set<Frame> key = frames;
        if (accepting) {
            key = new LinkedHashSet<>(frames);
            key.add(Frame.END);
        }
        State known = states.get(key);
        if (known != null) {
            return known;
        }
        if (states.size() >= MAX_STATES) {
            states.clear();
        }
        State made = new State(frames.toArray(Frame[]::new), accepting);
        State earlier = states.putIfAbsent(key, made);
        return earlier == null ? made : earlier;
    }

    /** Numbers the classes of bytes that the leaves do not tell apart; returns one byte of each. */
    private static int[] classify(Node root, byte[] classes, CompileEffort effort) {
        Set<ByteSet> sets = new LinkedHashSet<>();
        boolean[] single = new boolean[BYTES];
        Deque<Node> open = new ArrayDeque<>();
        Set<Node> seen = new HashSet<>();
        open.push(root);
        while (!open.isEmpty()) {
            Node node = open.pop();
            if (!seen.add(node)) {
                continue;
            }
            if (node instanceof Bytes bytes) {
                sets.add(bytes.set);
            } else if (node instanceof Literal literal) {
                for (byte value : literal.bytes) {
                    single[value & 0xFF] = true;
                }
            } else if (node instanceof Sequence sequence) {
                sequence.parts.forEach(open::push);
            } else if (node instanceof Choice choice) {
                choice.alternatives.forEach(open::push);
            } else if (node instanceof Repeat repeat) {
                open.push(repeat.body);
            } else {
                throw new IllegalStateException("not a regular expression: " + node);
            }
        }
        int[] numbers = new int[BYTES];
        int count = 1;
        for (ByteSet set : sets) {
            effort.work(1);
            count = split(numbers, set);
        }
        for (int value = 0; value < BYTES; value++) {
            if (single[value]) {
                count = split(numbers, ByteSet.of(value));
            }
        }
        int[] representatives = new int[count];
        for (int value = BYTES - 1; value >= 0; value--) {
            classes[value] = (byte) numbers[value];
            representatives[numbers[value]] = value;
        }
        return representatives;
    }

    /** Splits each class into what is in the set and what is not; returns the number of classes. */
    private static int split(int[] numbers, ByteSet set) {
        int[] renumbered = new int[2 * BYTES];
        int count = 0;
        for (int value = 0; value < BYTES; value++) {
            int key = numbers[value] * 2 + (set.contains(value) ? 1 : 0);
            if (renumbered[key] == 0) {
                renumbered[key] = ++count;
            }
            numbers[value] = renumbered[key] - 1;
        }
        return count;
    }

    /** Whether the next byte always decides what it belongs to, whatever the counts of repetitions are. */
    private static boolean isUnambiguous(Frame frame, CompileEffort effort) {
        Set<Frame> seen = new HashSet<>();
        Deque<Frame> open = new ArrayDeque<>();
        Expansion first = new Expansion(true, MAX_EXACTLY_EXPANDED);
        first.add(frame);
        if (first.cut() || !areDisjoint(first.leaves())) {
            return false;
        }
        int work = 0;
        open.addAll(first.leaves());
        while (!open.isEmpty()) {
            Frame leaf = open.pop();
            if (!seen.add(leaf)) {
                continue;
            }
            Expansion next = new Expansion(true, MAX_EXACTLY_EXPANDED);
            next.add(leaf.below());
            work += next.effort() + 1;
            effort.work(next.effort() + 1);
            if (work > MAX_AMBIGUOUS_WORK || next.cut() || !areDisjoint(next.leaves())) {
                return false;
            }
            open.addAll(next.leaves());
        }
        return true;
    }

    private static boolean areDisjoint(Collection<Frame> leaves) {
        ByteSet all = ByteSet.NONE;
        for (Frame leaf : leaves) {
            ByteSet set = leaf.node instanceof Literal literal
                    ? ByteSet.of(literal.bytes[0] & 0xFF)
                    : ((Bytes) leaf.node).set;
            if (all.meets(set)) {
                return false;
            }
            all = all.or(set);
        }
        return true;
    }

    /** Finds all states, if they are few; the sets of frames are not limited meanwhile. */
    private boolean isSmall(Frame frame, CompileEffort effort) {
        Map<Set<Frame>, Boolean> seen = new HashMap<>();
        Deque<Set<Frame>> open = new ArrayDeque<>();
        Expansion first = new Expansion(false, MAX_EXACTLY_EXPANDED);
        first.add(frame);
        open.add(first.leaves());
        int work = 0;
        while (!open.isEmpty()) {
            Set<Frame> frames = open.pop();
            if (seen.putIfAbsent(frames, true) != null) {
                continue;
            }
            for (int representative : representatives) {
                Expansion next = new Expansion(false, MAX_EXACTLY_EXPANDED);
                step(frames, representative, next);
                int steps = frames.size() + next.effort() + 1;
                work += steps;
                if (work > MAX_AMBIGUOUS_WORK
                        || next.cut()
                        || !effort.tryWork(steps)
                        || seen.size() > MAX_AMBIGUOUS_STATES) {
                    return false;
                }
                if (!next.leaves().isEmpty()) {
                    open.add(next.leaves());
                }
            }
        }
        return true;
    }

    private static void step(Iterable<Frame> frames, int value, Expansion next) {
        for (Frame frame : frames) {
            if (frame.node instanceof Literal literal) {
                if ((literal.bytes[frame.index] & 0xFF) == value) {
                    if (frame.index + 1 == literal.bytes.length) {
                        next.add(frame.below());
                    } else {
                        next.addLeaf(frame.at(frame.index + 1));
                    }
                }
            } else if (((Bytes) frame.node).set.contains(value)) {
                next.add(frame.below());
            }
        }
    }

    /** A frame whose counts are cut to what one token can tell apart; itself if they all are small. */
    private Frame cut(Frame frame) {
        int limit = longestToken + 1;
        List<Frame> above = new ArrayList<>();
        Frame at = frame;
        int unchanged = 0;
        while (at != Frame.END) {
            above.add(at);
            boolean large =
                    at.node instanceof Repeat && (at.toMin > limit || at.toMax > limit && at.toMax != Node.UNBOUNDED);
            if (large) {
                unchanged = above.size();
            }
            at = at.below();
        }
        if (unchanged == 0) {
            return frame;
        }
        Frame result = unchanged == above.size() ? Frame.END : above.get(unchanged);
        for (int i = unchanged - 1; i >= 0; i--) {
            Frame old = above.get(i).on(result);
            result = !(old.node instanceof Repeat)
                    ? old
                    : old.bounded(
                            Math.min(old.toMin, limit),
                            old.toMax == Node.UNBOUNDED ? Node.UNBOUNDED : Math.min(old.toMax, limit));
        }
        return result;
    }

    /** A set of frames. */
    private final class State extends ByteState {

        private final Frame[] frames;
        private final boolean accepting;
        private final int cost;

        /**
         * By class of bytes the next state, {@link #DEAD}, or null until it is first asked for. Races are harmless:
         * equal states are one object.
         */
        private final @Nullable Object[] next = new Object[representatives.length];

        private @Nullable State canonical;

        State(Frame[] frames, boolean accepting) {
            this.frames = frames;
            this.accepting = accepting;
            int least = accepting ? 0 : Node.IMPOSSIBLE;
            for (Frame frame : frames) {
                least = Math.min(least, frame.cost);
            }
            this.cost = least;
        }

        @Override
        @Nullable
        State next(int value) {
            return next(value, null);
        }

        @Override
        @Nullable
        State next(int value, @Nullable WalkBudget budget) {
            int number = classes[value] & 0xFF;
            Object known = next[number];
            if (known == null) {
                if (budget != null && !exact && budget.isSpent()) {
                    return null;
                }
                Expansion expansion = expansion();
                step(List.of(frames), representatives[number], expansion);
                if (budget != null) {
                    budget.spend(frames.length + expansion.effort());
                }
                known = expansion.leaves().isEmpty() && !expansion.complete() ? DEAD : state(expansion);
                next[number] = known;
            }
            return known == DEAD ? null : (State) known;
        }

        @Override
        boolean accepting() {
            return accepting;
        }

        @Override
        int cost() {
            return cost;
        }

        @Override
        State canonical() {
            State known = canonical;
            if (known == null) {
                known = unambiguous ? cut() : this;
                canonical = known;
            }
            return known;
        }

        private State cut() {
            Set<Frame> cut = new LinkedHashSet<>();
            boolean changed = false;
            for (Frame frame : frames) {
                Frame small = NodeAutomaton.this.cut(frame);
                changed |= small != frame;
                cut.add(small);
            }
            return changed ? state(cut, accepting) : this;
        }

        @Override
        int slack() {
            State small = canonical();
            int slack = 0;
            for (int i = 0; small != this && i < frames.length; i++) {
                slack = Math.max(slack, frames[i].cost - NodeAutomaton.this.cut(frames[i]).cost);
            }
            return slack;
        }
    }
}
