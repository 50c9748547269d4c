package io.idefics.checkpoint;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The token ids of generation_config.json.
 *
 * @param eosTokenIds ids that end an answer; never empty
 */
public record GenerationConfig(int bosTokenId, List<Integer> eosTokenIds, int padTokenId) {

    /**
     * Reads the file if there is one; what it does not say is taken from the model configuration.
     *
     * @throws CheckpointException naming the file and the key that is malformed or outside the vocabulary
     */
    static GenerationConfig read(Path file, IdeficsConfig model) {
        if (!Files.exists(file)) {
            return new GenerationConfig(model.bosTokenId(), model.eosTokenIds(), model.padTokenId());
        }
        JsonSection json = JsonFile.readObject(file, JsonFile.CONFIG_LIMIT);
        int lastId = model.totalVocabSize() - 1;
        List<Integer> eos = json.integers("eos_token_id", 0, lastId, model.eosTokenIds());
        return new GenerationConfig(
                json.integer("bos_token_id", 0, lastId, model.bosTokenId()),
                eos.isEmpty() ? model.eosTokenIds() : eos,
                json.integer("pad_token_id", 0, lastId, model.padTokenId()));
    }
}
