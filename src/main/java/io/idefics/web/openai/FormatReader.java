package io.idefics.web.openai;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.OutputFormat;
import io.idefics.web.JsonField;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The form that an answer must have: OpenAI's {@code response_format}, or vLLM's {@code structured_outputs} and its older
 * names {@code guided_json}, {@code guided_regex} and {@code guided_choice}. At most one of them may be given.
 */
public final class FormatReader {

    static final int MAX_CHOICES = 1_000;
    static final int MAX_PATTERN_LENGTH = 10_000;
    static final int MAX_SCHEMA_LENGTH = 1_000_000;

    private FormatReader() {}

    static OutputFormat read(JsonField root) {
        List<Map.Entry<JsonField, OutputFormat>> given = new ArrayList<>();
        add(given, root.get("response_format"), FormatReader::responseFormat);
        JsonField structured = root.get("structured_outputs");
        if (structured.isPresent()) {
            structured.requireObject();
            add(given, structured.get("json"), FormatReader::schema);
            add(given, structured.get("json_object"), FormatReader::object);
            add(given, structured.get("regex"), FormatReader::regex);
            add(given, structured.get("choice"), FormatReader::choice);
            refuse(structured.get("grammar"));
            refuse(structured.get("structural_tag"));
        }
        add(given, root.get("guided_json"), FormatReader::schema);
        add(given, root.get("guided_regex"), FormatReader::regex);
        add(given, root.get("guided_choice"), FormatReader::choice);
        refuse(root.get("guided_grammar"));
        if (given.size() > 1) {
            JsonField second = given.get(1).getKey();
            throw second.invalidValue("absent, as " + given.get(0).getKey().path() + " says what form the answer has");
        }
        return given.isEmpty() ? new OutputFormat.Text() : given.get(0).getValue();
    }

    /** Strings that must not occur in an answer of any text. */
    static List<String> badWords(JsonField root, OutputFormat format) {
        JsonField field = root.get("bad_words");
        List<String> words = ParameterReader.badWords(field);
        if (!words.isEmpty() && !(format instanceof OutputFormat.Text)) {
            throw field.unsupported("it cannot be combined with a form that the answer must have.");
        }
        return words;
    }

    /** Adds the form that a field asks for, if it is there and asks for one. */
    private static void add(
            List<Map.Entry<JsonField, OutputFormat>> given,
            JsonField field,
            Function<JsonField, @Nullable OutputFormat> reader) {
        OutputFormat format = field.isPresent() ? reader.apply(field) : null;
        if (format != null) {
            given.add(Map.entry(field, format));
        }
    }

    private static void refuse(JsonField field) {
        if (field.isPresent()) {
            throw field.unsupported("use json, regex or choice.");
        }
    }

    private static @Nullable OutputFormat responseFormat(JsonField field) {
        JsonField type = field.requireObject().get("type");
        return switch (type.string()) {
            case "text" -> null;
            case "json_object" -> new OutputFormat.JsonObject();
            case "json_schema" -> jsonSchema(field.get("json_schema"));
            default -> throw type.invalidValue("'text', 'json_object' or 'json_schema'");
        };
    }

    /** The form that a named {@code schema}, strict or not, describes. */
    public static OutputFormat jsonSchema(JsonField field) {
        JsonField name = field.requireObject().get("name");
        if (name.isPresent() && !name.string().matches("[A-Za-z0-9_-]{1,64}")) {
            throw name.invalidValue("1 to 64 letters, digits, underscores and dashes");
        }
        return schema(field.get("schema").requireObject(), ParameterReader.flag(field.get("strict")));
    }

    /** A schema as an object, or as a string that holds one. */
    public static OutputFormat schema(JsonField field) {
        return schema(field.isString() ? field : field.requireObject(), false);
    }

    private static OutputFormat schema(JsonField field, boolean strict) {
        String schema = field.isString() ? field.string() : field.node().toString();
        if (schema.length() > MAX_SCHEMA_LENGTH) {
            throw new GenerationException(
                    ErrorType.INVALID_VALUE,
                    field.path() + " has " + schema.length() + " characters but may have at most " + MAX_SCHEMA_LENGTH
                            + ".",
                    field.path());
        }
        return new OutputFormat.JsonSchema(schema, strict, field.path());
    }

    private static @Nullable OutputFormat object(JsonField field) {
        return ParameterReader.flag(field) ? new OutputFormat.JsonObject() : null;
    }

    /** A regular expression, of a bounded length. */
    public static OutputFormat regex(JsonField field) {
        if (field.string().length() > MAX_PATTERN_LENGTH) {
            throw field.invalidValue("at most " + MAX_PATTERN_LENGTH + " characters long");
        }
        return new OutputFormat.Regex(field.string(), field.path());
    }

    private static OutputFormat choice(JsonField field) {
        List<String> choices = field.elements(1, MAX_CHOICES).stream()
                .map(element -> ParameterReader.string(element, MAX_PATTERN_LENGTH))
                .toList();
        return new OutputFormat.Choice(choices, field.path());
    }
}
