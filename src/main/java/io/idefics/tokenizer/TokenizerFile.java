package io.idefics.tokenizer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A {@code tokenizer.json} of the Hugging Face tokenizers library, read and checked: a BPE model with byte fallback
 * and the LLaMA decoder, which is what {@link IncrementalDecoder} undoes.
 */
final class TokenizerFile {

    private static final long MAX_BYTES = 64L << 20;
    private static final int MAX_ID = 1 << 20;
    private static final ObjectMapper JSON = new ObjectMapper();

    private static final String LLAMA_DECODER =
            """
            {"type": "Sequence", "decoders": [
              {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
              {"type": "ByteFallback"},
              {"type": "Fuse"},
              {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
            """;

    private final Path path;
    private final ObjectNode root;
    private final Vocabulary vocabulary;

    private TokenizerFile(Path path, ObjectNode root) {
        this.path = path;
        this.root = root;
        this.vocabulary = readVocabulary();
    }

    /**
     * Reads and checks the file.
     *
     * @throws TokenizerException if it is missing, too large, not JSON, or of another kind of tokenizer
     */
    static TokenizerFile read(Path path) {
        JsonNode root;
        try {
            long bytes = Files.size(path);
            if (bytes > MAX_BYTES) {
                throw new TokenizerException(path + " has " + bytes + " bytes, more than " + MAX_BYTES);
            }
            root = JSON.readTree(Files.readAllBytes(path));
        } catch (JsonProcessingException e) {
            throw new TokenizerException(path + " is not valid JSON: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new TokenizerException(path + " cannot be read: " + e, e);
        }
        if (!(root instanceof ObjectNode object)) {
            throw new TokenizerException(path + " is not a JSON object");
        }
        TokenizerFile file = new TokenizerFile(path, object);
        file.checkDecoder();
        return file;
    }

    Path path() {
        return path;
    }

    Vocabulary vocabulary() {
        return vocabulary;
    }

    /** The tokenizer as JSON text, without the truncation and padding that a file may ask for. */
    String json() {
        ObjectNode copy = root.deepCopy();
        copy.putNull("truncation");
        copy.putNull("padding");
        return copy.toString();
    }

    /** The same tokenizer without added tokens: everything in its input is text. */
    String jsonWithoutAddedTokens() {
        ObjectNode copy = root.deepCopy();
        copy.putNull("truncation");
        copy.putNull("padding");
        copy.putNull("post_processor");
        copy.putArray("added_tokens");
        return copy.toString();
    }

    private Vocabulary readVocabulary() {
        JsonNode model = root.path("model");
        require("BPE".equals(model.path("type").asText()), "model.type is not BPE");
        require(model.path("byte_fallback").asBoolean(), "model.byte_fallback is not true");
        // the native library ends the process over a prefix that is longer than a token
        for (String option : List.of("dropout", "continuing_subword_prefix", "end_of_word_suffix")) {
            require(
                    model.path(option).asText("").isEmpty()
                            || model.path(option).isNull(),
                    "model." + option + " is set");
        }
        require(model.path("vocab").isObject() && !model.path("vocab").isEmpty(), "model.vocab is missing or empty");
        Map<String, Integer> tokens = new LinkedHashMap<>();
        model.get("vocab").fields().forEachRemaining(entry -> tokens.put(entry.getKey(), id(entry.getValue())));
        for (int value = 0; value < 256; value++) {
            String token = "<0x%02X>".formatted(value);
            require(tokens.containsKey(token), "model.vocab has no " + token);
        }
        Map<String, Integer> added = new LinkedHashMap<>();
        Set<String> special = new HashSet<>();
        for (JsonNode token : root.path("added_tokens")) {
            String content = token.path("content").asText();
            require(!content.isEmpty(), "an entry of added_tokens has no content");
            added.put(content, id(token.path("id")));
            if (token.path("special").asBoolean()) {
                special.add(content);
            }
        }
        return new Vocabulary(tokens, added, special);
    }

    private int id(JsonNode node) {
        require(
                node.isIntegralNumber() && node.canConvertToInt() && node.intValue() >= 0 && node.intValue() <= MAX_ID,
                "token id " + node + " is not between 0 and " + MAX_ID);
        return node.intValue();
    }

    private void checkDecoder() {
        try {
            require(JSON.readTree(LLAMA_DECODER).equals(root.path("decoder")), "decoder is not that of LLaMA");
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private void require(boolean condition, String problem) {
        if (!condition) {
            throw new TokenizerException(path + ": " + problem);
        }
    }
}
