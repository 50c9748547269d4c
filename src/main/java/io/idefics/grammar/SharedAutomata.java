package io.idefics.grammar;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/** The automata that all grammars of a model share, by name. Safe for use by several threads. */
final class SharedAutomata {

    private final Map<String, ByteState> known = new ConcurrentHashMap<>();

    /** The automaton of that name, made if it is not known. */
    ByteState get(String name, Supplier<ByteState> maker) {
        ByteState state = known.get(name);
        if (state != null) {
            return state;
        }
        ByteState made = maker.get();
        ByteState earlier = known.putIfAbsent(name, made);
        return earlier == null ? made : earlier;
    }
}
