package io.idefics.engine;

import io.idefics.generation.GenerationException;

/** The logits of one sequence allow no choice. It is the fault of that sequence alone: its neighbours go on. */
public final class LogitsException extends GenerationException {

    private LogitsException(String message) {
        super(ErrorType.INTERNAL, message, null);
    }

    static LogitsException notFinite(int id, float logit) {
        return new LogitsException("The model computed the logit " + logit + " for token " + id + ".");
    }

    static LogitsException nothingLeft() {
        return new LogitsException("No token is left to choose from: all are excluded.");
    }
}
