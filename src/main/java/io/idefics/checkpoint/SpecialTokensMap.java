package io.idefics.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The texts of the special tokens, from special_tokens_map.json; null or empty where the file names none. */
public record SpecialTokensMap(
        @Nullable String bosToken,
        @Nullable String eosToken,
        @Nullable String unkToken,
        @Nullable String padToken,
        List<String> additionalSpecialTokens) {

    /**
     * Reads the file if there is one. A token is written as its text or as an object with the text in {@code content}.
     *
     * @throws CheckpointException naming the file and the key that is malformed
     */
    static SpecialTokensMap read(Path file) {
        if (!Files.exists(file)) {
            return new SpecialTokensMap(null, null, null, null, List.of());
        }
        JsonSection json = JsonFile.readObject(file, JsonFile.CONFIG_LIMIT);
        List<String> additional = new ArrayList<>();
        JsonNode list = json.value("additional_special_tokens");
        if (list != null && !list.isArray()) {
            throw json.wrong("additional_special_tokens", list, "a list of tokens");
        } else if (list != null) {
            list.forEach(token -> additional.add(text(json, "additional_special_tokens", token)));
        }
        return new SpecialTokensMap(
                token(json, "bos_token"),
                token(json, "eos_token"),
                token(json, "unk_token"),
                token(json, "pad_token"),
                List.copyOf(additional));
    }

    private static @Nullable String token(JsonSection json, String key) {
        JsonNode token = json.value(key);
        return token == null ? null : text(json, key, token);
    }

    private static String text(JsonSection json, String key, JsonNode token) {
        JsonNode text = token.isObject() ? token.path("content") : token;
        if (!text.isTextual()) {
            throw json.wrong(key, token, "a token text or an object with content");
        }
        return text.textValue();
    }
}
