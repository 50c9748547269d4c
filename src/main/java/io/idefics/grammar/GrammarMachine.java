package io.idefics.grammar;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** Follows the texts of one grammar byte by byte and token by token. Safe for use by several threads. */
final class GrammarMachine {

    /*
     * A pushdown automaton that follows all ways at once. A state is a set of pairs: an automaton inside a terminal,
     * and the stacks of frames that may follow it.
     *
     * Which tokens may come is answered mostly by what is known of the automaton alone (StateTokens, kept for all
     * grammars): the tokens that stay inside it. Only where a token goes beyond it, the stacks are looked at.
     *
     * A stack costs as many tokens as the cheapest way to its end needs at most. The cost of a state is that of its
     * cheapest stack, and from each state some token leads to one that costs less: the first of that way. So a text
     * that is begun with enough tokens can always be ended. Where stacks are too many the most expensive are dropped,
     * which takes texts away but keeps this true. Accepting a token follows the very steps by which it was found to be
     * allowed, so dropping cannot contradict it.
     */

    /** The most stacks of a state. */
    private static final int MAX_STACKS = 1_024;

    /** States are forgotten beyond this number; those in use live on. */
    private static final int MAX_STATES = 2_000;

    private final TokenTrie trie;
    private final KnownStates known;
    private final Map<List<Group>, State> states = new ConcurrentHashMap<>();
    private final State start;

    /**
     * Makes a machine.
     *
     * @param root what the text is, after {@link Nodes#settle}
     */
    GrammarMachine(Node root, KnownStates known) {
        this.trie = known.trie();
        this.known = known;
        this.start = expand(List.of(Frame.of(root, Frame.END, 0)));
    }

    State start() {
        return start;
    }

    /** The state before all that may come first in the frames. */
    private State expand(Iterable<Frame> frames) {
        Expansion expansion = new Expansion();
        frames.forEach(expansion::add);
        Union union = new Union();
        union.complete = expansion.complete();
        for (Frame leaf : expansion.leaves()) {
            union.add(((Node.Terminal) leaf.node).start, List.of(leaf.below()));
        }
        return union.state();
    }

    private State intern(List<Group> groups, boolean complete) {
        List<Group> key = groups;
        if (complete) {
            key = new ArrayList<>(groups);
            key.add(Group.COMPLETE);
        }
        State state = states.get(key);
        if (state != null) {
            return state;
        }
        if (states.size() >= MAX_STATES) {
            states.clear();
        }
        State made = new State(groups, complete);
        State earlier = states.putIfAbsent(key, made);
        return earlier == null ? made : earlier;
    }

    /** An automaton within a terminal, and what may follow the terminal. */
    private static final class Group {

        /** Stands in keys for the end of the text. */
        static final Group COMPLETE = new Group(null, Set.of(Frame.END));

        private final @Nullable ByteState inside;
        final Set<Frame> following;
        final int followingCost;
        private final int hash;

        Group(@Nullable ByteState inside, Set<Frame> following) {
            this.inside = inside;
            this.following = following;
            this.followingCost = following.stream().mapToInt(f -> f.cost).min().orElse(0);
            this.hash = System.identityHashCode(inside) * 31 + following.hashCode();
        }

        ByteState inside() {
            if (inside == null) {
                throw new IllegalStateException("the end of the text");
            }
            return inside;
        }

        int cost() {
            return Node.plus(inside().cost(), followingCost);
        }

        @Override
        public boolean equals(@Nullable Object object) {
            return object instanceof Group other
                    && inside == other.inside
                    && hash == other.hash
                    && following.equals(other.following);
        }

        @Override
        public int hashCode() {
            return hash;
        }
    }

    /** Collects the groups of a state. */
    private final class Union {

        private final Map<ByteState, Set<Frame>> parts = new LinkedHashMap<>();
        private boolean complete;

        void add(ByteState inside, Iterable<Frame> following) {
            Set<Frame> frames = parts.computeIfAbsent(inside, i -> new LinkedHashSet<>());
            following.forEach(frames::add);
        }

        void add(State state) {
            state.groups.forEach(group -> add(group.inside(), group.following));
            complete |= state.complete;
        }

        boolean isEmpty() {
            return parts.isEmpty() && !complete;
        }

        State state() {
            drop();
            List<Group> groups = new ArrayList<>(parts.size());
            parts.forEach((inside, following) -> groups.add(new Group(inside, following)));
            return intern(groups, complete);
        }

        private void drop() {
            int stacks = parts.values().stream().mapToInt(Set::size).sum();
            if (stacks <= MAX_STACKS) {
                return;
            }
            record Stack(ByteState inside, Frame following) {
                int cost() {
                    return Node.plus(inside.cost(), following.cost);
                }
            }
            List<Stack> all = new ArrayList<>(stacks);
            parts.forEach((inside, following) -> following.forEach(frame -> all.add(new Stack(inside, frame))));
            all.sort(Comparator.comparingInt(Stack::cost));
            parts.clear();
            all.subList(0, MAX_STACKS).forEach(stack -> add(stack.inside(), List.of(stack.following())));
        }
    }

    /** What the text may go on with. Equal states are the same object. */
    final class State {

        private final List<Group> groups;
        private final boolean complete;
        private final int cost;

        /** By byte; null until first asked for. Races are harmless. */
        private @Nullable Object @Nullable [] next;

        /** By group what may come when its terminal is complete; null until first asked for. */
        private final @Nullable State[] beyond;

        private State(List<Group> groups, boolean complete) {
            this.groups = groups;
            this.complete = complete;
            this.cost =
                    complete ? 0 : groups.stream().mapToInt(Group::cost).min().orElse(Node.IMPOSSIBLE);
            this.beyond = new State[groups.size()];
        }

        /** Whether the text may end here. */
        boolean complete() {
            return complete;
        }

        /** How many tokens the text needs to be complete, at most. */
        int cost() {
            return cost;
        }

        /**
         * Adds the tokens after which the text needs no more than {@code limit} tokens to be complete.
         *
         * @param root the root of the trie, or the node after a space for tokens that begin with one that does not count
         * @param bits by id
         */
        void addTokens(int root, int limit, long[] bits) {
            for (int i = 0; i < groups.size(); i++) {
                Group group = groups.get(i);
                int insideLimit = limit - group.followingCost;
                if (insideLimit < 0) {
                    continue;
                }
                ByteState inside = group.inside();
                StateTokens tokens = known.tokens(inside.canonical(), root);
                if (tokens.most() + inside.slack() <= insideLimit) {
                    tokens.inside().addTo(bits);
                } else {
                    StateTokens.addInside(inside, insideLimit, trie, root, bits);
                }
                if (tokens.ends().length > 0) {
                    State state = beyond(i);
                    for (int end = 0; end < tokens.ends().length && !state.groups.isEmpty(); end++) {
                        state.addTokensBelow(tokens.ends()[end], limit, bits);
                    }
                }
            }
        }

        /** Adds those of these tokens whose beginning, the way to a node of the trie, already is in the text. */
        private void addTokensBelow(int node, int limit, long[] bits) {
            for (int child = node + 1; child < trie.end(node); child = trie.end(child)) {
                State state = next(trie.label(child));
                if (state == null) {
                    continue;
                }
                if (trie.idCount(child) > 0 && state.cost <= limit) {
                    for (int i = trie.idCount(child) - 1; i >= 0; i--) {
                        TokenSet.add(bits, trie.id(child, i));
                    }
                }
                state.addTokensBelow(child, limit, bits);
            }
        }

        /**
         * The state after the bytes of a token that may come.
         *
         * @param from how many of its bytes do not count
         * @throws IllegalArgumentException if it may not
         */
        State accept(byte[] token, int from) {
            Union union = new Union();
            for (int i = 0; i < groups.size(); i++) {
                ByteState inside = groups.get(i).inside();
                for (int at = from; inside != null && at < token.length; at++) {
                    inside = inside.next(token[at] & 0xFF);
                    if (inside != null && inside.accepting()) {
                        State after = beyond(i).after(token, at + 1);
                        if (after != null) {
                            union.add(after);
                        }
                    }
                }
                if (inside != null) {
                    union.add(inside, groups.get(i).following);
                }
            }
            if (union.isEmpty()) {
                throw new IllegalArgumentException("the token may not come here");
            }
            return union.state();
        }

        /** The state after the bytes from a position on; null if they may not come. */
        private @Nullable State after(byte[] bytes, int from) {
            State state = this;
            for (int at = from; at < bytes.length && state != null; at++) {
                state = state.next(bytes[at] & 0xFF);
            }
            return state;
        }

        private @Nullable State next(int value) {
            @Nullable Object[] array = next;
            if (array == null) {
                array = new Object[256];
                next = array;
            }
            Object known = array[value];
            if (known == null) {
                known = compute(value);
                array[value] = known;
            }
            return known instanceof State state ? state : null;
        }

        private Object compute(int value) {
            Union union = new Union();
            for (int i = 0; i < groups.size(); i++) {
                Group group = groups.get(i);
                ByteState inside = group.inside().next(value);
                if (inside != null) {
                    union.add(inside, group.following);
                    if (inside.accepting()) {
                        union.add(beyond(i));
                    }
                }
            }
            return union.isEmpty() ? DEAD : union.state();
        }

        private State beyond(int i) {
            State known = beyond[i];
            if (known == null) {
                known = expand(groups.get(i).following);
                beyond[i] = known;
            }
            return known;
        }
    }

    private static final Object DEAD = new Object();
}
