package io.idefics.generation;

import java.util.List;

/** What form an answer must have. Whatever the model would like to say, it has that form. */
public sealed interface OutputFormat {

    /** Any text. */
    record Text() implements OutputFormat {}

    /** A JSON object (RFC 8259). */
    record JsonObject() implements OutputFormat {}

    /**
     * JSON that a schema allows.
     *
     * @param schema the JSON Schema, as JSON
     * @param strict whether the schema must keep to the rules of OpenAI's strict mode
     * @param param the path of the schema in the request, for error messages
     */
    record JsonSchema(String schema, boolean strict, String param) implements OutputFormat {}

    /**
     * Text that a regular expression matches as a whole.
     *
     * @param pattern the expression
     * @param param its path in the request, for error messages
     */
    record Regex(String pattern, String param) implements OutputFormat {}

    /**
     * One of some texts.
     *
     * @param choices at least one
     * @param param their path in the request, for error messages
     */
    record Choice(List<String> choices, String param) implements OutputFormat {

        public Choice {
            choices = List.copyOf(choices);
        }
    }
}
