package io.idefics.web;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Reads and writes the JSON of the API, independent of the JSON settings of the framework.
 *
 * <p>Reading is strict (RFC 8259): one object, nothing after it, no duplicate names, no NaN, and UTF-8 without
 * malformed or overlong sequences, which the byte parser of Jackson would let pass. Depth, names, numbers and the
 * count of tokens are bounded, since a tree takes up to thirty times the memory of its text.
 */
public final class WireJson {

    static final int MAX_DEPTH = 64;
    static final int MAX_NAME_LENGTH = 1_000;
    static final int MAX_NUMBER_LENGTH = 100;
    static final long MAX_TOKENS = 100_000;

    private final JsonMapper mapper;

    /**
     * Makes a reader and writer.
     *
     * @param maxStringLength the most characters of a string that is read
     */
    public WireJson(int maxStringLength) {
        JsonFactory factory = new JsonFactoryBuilder()
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(MAX_DEPTH)
                        .maxNameLength(MAX_NAME_LENGTH)
                        .maxNumberLength(MAX_NUMBER_LENGTH)
                        .maxTokenCount(MAX_TOKENS)
                        .maxStringLength(maxStringLength)
                        .build())
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .enable(JsonWriteFeature.COMBINE_UNICODE_SURROGATES_IN_UTF8)
                .build();
        this.mapper = new JsonMapper(factory);
    }

    /**
     * Reads one object.
     *
     * @throws GenerationException of type {@link ErrorType#INVALID_VALUE} where the bytes are anything else
     */
    public JsonNode readObject(byte[] bytes) {
        return readObject(new ByteArrayInputStream(bytes));
    }

    /** Reads one object as {@link #readObject(byte[])} does. */
    JsonNode readObject(InputStream bytes) {
        Reader text = new InputStreamReader(
                bytes,
                StandardCharsets.UTF_8
                        .newDecoder()
                        .onMalformedInput(CodingErrorAction.REPORT)
                        .onUnmappableCharacter(CodingErrorAction.REPORT));
        try (JsonParser parser = mapper.createParser(text)) {
            JsonNode node = mapper.readTree(parser);
            if (node == null || node.isMissingNode()) {
                throw invalid("The body is empty but must be a JSON object.");
            }
            if (parser.nextToken() != null) {
                throw invalid("The body has more after the JSON object, at " + at(parser.currentLocation()) + ".");
            }
            if (!node.isObject()) {
                throw invalid("The body must be a JSON object but is " + JsonField.typeName(node) + ".");
            }
            return node;
        } catch (StreamConstraintsException e) {
            throw invalid("The body exceeds a limit of JSON at " + at(e.getLocation()) + ": " + MAX_DEPTH
                    + " levels of nesting, " + MAX_NAME_LENGTH + " characters a name, " + MAX_NUMBER_LENGTH
                    + " characters a number, " + MAX_TOKENS + " tokens.");
        } catch (JsonProcessingException e) {
            throw invalid("The body is not valid JSON at " + at(e.getLocation()) + ".");
        } catch (CharacterCodingException e) {
            throw invalid("The body is not valid UTF-8.");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The JSON of a record, in UTF-8. */
    public byte[] write(Object value) {
        try {
            return mapper.writeValueAsBytes(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("cannot write " + value.getClass().getSimpleName(), e);
        }
    }

    private static String at(@Nullable JsonLocation location) {
        return location == null
                ? "an unknown place"
                : "line " + location.getLineNr() + ", column " + location.getColumnNr();
    }

    private static GenerationException invalid(String message) {
        return new GenerationException(ErrorType.INVALID_VALUE, message, null);
    }
}
