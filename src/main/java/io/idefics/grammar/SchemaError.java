package io.idefics.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;

/** Makes the errors of one schema. Immutable. */
record SchemaError(String param) {

    private static final int MAX_SHOWN = 100;

    /** A keyword that is not supported, with what is. */
    GenerationException unsupported(String pointer, String keyword, String instead) {
        return new GenerationException(
                ErrorType.UNSUPPORTED_PARAMETER,
                "The schema at " + shown(pointer) + " uses " + keyword + ", which is not supported; " + instead + ".",
                param);
    }

    /** Something that makes no sense, as a sentence that begins with "The schema at ...". */
    GenerationException invalid(String pointer, String what) {
        return new GenerationException(
                ErrorType.INVALID_VALUE, "The schema at " + shown(pointer) + " " + what + ".", param);
    }

    /** A value in a message. */
    static String shown(JsonNode value) {
        String text = value.toString();
        return text.length() <= MAX_SHOWN ? text : text.substring(0, MAX_SHOWN) + "...";
    }

    private static String shown(String pointer) {
        if (pointer.isEmpty()) {
            return "its root";
        }
        return pointer.length() <= 2 * MAX_SHOWN
                ? pointer
                : "..." + pointer.substring(pointer.length() - 2 * MAX_SHOWN);
    }
}
