package io.idefics.checkpoint;

import static io.idefics.checkpoint.CheckpointException.quote;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * The index of a sharded checkpoint: which file of its directory holds which tensor. The announced total size is
 * advisory and not read.
 */
record ShardIndex(Path file, Map<String, String> fileOfTensor) {

    private static final long FILE_LIMIT = 16_000_000;
    private static final Pattern PLAIN_NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,200}");

    /**
     * Reads an index and checks that every shard is a file of the same directory.
     *
     * @throws CheckpointException naming the index and the shard names that are not plain or not there
     */
    static ShardIndex read(Path file) {
        JsonSection json = JsonFile.readObject(file, FILE_LIMIT);
        json.required("weight_map");
        JsonSection weightMap = json.section("weight_map");
        String suffix = file.toString().endsWith(".safetensors.index.json") ? ".safetensors" : ".bin";
        Map<String, String> fileOfTensor = new LinkedHashMap<>();
        weightMap.object().fields().forEachRemaining(entry -> {
            JsonNode shard = entry.getValue();
            String name = shard.isTextual() ? shard.textValue() : "";
            if (!PLAIN_NAME.matcher(name).matches() || !name.endsWith(suffix)) {
                throw weightMap.wrong(
                        quote(entry.getKey()), shard, "the plain name of a " + suffix + " file beside the index");
            }
            fileOfTensor.put(entry.getKey(), name);
        });
        ShardIndex index = new ShardIndex(file, fileOfTensor);
        index.checkShardsExist();
        return index;
    }

    /** The files, each once, in the order of their names. */
    List<Path> shards() {
        return new TreeSet<>(fileOfTensor.values())
                .stream().map(file::resolveSibling).toList();
    }

    private void checkShardsExist() {
        List<Path> missing =
                shards().stream().filter(shard -> !Files.isRegularFile(shard)).toList();
        if (fileOfTensor.isEmpty()) {
            throw new CheckpointException(file + ": names no tensor");
        } else if (!missing.isEmpty()) {
            throw new CheckpointException(file + ": " + missing.size() + " of its " + shards().size()
                    + " files are missing: "
                    + Faults.list(missing.stream()
                            .map(path -> String.valueOf(path.getFileName()))
                            .toList()));
        }
    }
}
