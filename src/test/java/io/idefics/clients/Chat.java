package io.idefics.clients;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A request that every client can write.
 *
 * @param model the name of a model
 * @param turns first the user's, then the model's, in turn
 * @param topP the parameter of that name, if any
 * @param tools whether the model is offered a tool
 * @param logitBias the parameter of that name
 */
record Chat(String model, List<Turn> turns, @Nullable Double topP, Tools tools, Map<String, Integer> logitBias) {

    /** The model that is part of the server. */
    static final String MODEL = "idefics-mini-instruct";

    /** Of that model, the tokens that end an answer. */
    private static final List<String> ENDS = List.of("2", "1002");

    /** Whether a tool is offered, and a call demanded. */
    enum Tools {
        NONE,
        OFFERED,
        REQUIRED
    }

    /**
     * What one side says.
     *
     * @param text comes first
     * @param picture the URL of a picture after it, if any
     */
    record Turn(String text, @Nullable String picture) {}

    /** A question alone. */
    static Chat of(String text) {
        return of(text, null);
    }

    /** A question about a picture, by its URL. */
    static Chat of(String text, @Nullable String picture) {
        return new Chat(MODEL, List.of(new Turn(text, picture)), null, Tools.NONE, Map.of());
    }

    /** This conversation, an answer to it and a further question. */
    Chat then(String answer, String question) {
        List<Turn> more = new ArrayList<>(turns);
        more.add(new Turn(answer, null));
        more.add(new Turn(question, null));
        return new Chat(model, more, topP, tools, logitBias);
    }

    Chat withModel(String name) {
        return new Chat(name, turns, topP, tools, logitBias);
    }

    Chat withTopP(double value) {
        return new Chat(model, turns, value, tools, logitBias);
    }

    Chat withTools(Tools choice) {
        return new Chat(model, turns, topP, choice, logitBias);
    }

    /** The same, but the answer may not end before the context is full. */
    Chat endless() {
        return new Chat(model, turns, topP, tools, Map.of(ENDS.get(0), -100, ENDS.get(1), -100));
    }

    /** Whether a turn is the user's. */
    static boolean isUser(int turn) {
        return turn % 2 == 0;
    }
}
