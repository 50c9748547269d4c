package io.idefics.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.checkpoint.WeightFile.TensorSpec;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/**
 * Writes a checkpoint directory with the configuration of a published model and random bfloat16 weights, to measure
 * loading and speed at full size without the real weights. Weights are drawn with standard deviation 0.02, norms
 * around 1, gates at 0.5, so that activations stay finite; the texts it generates mean nothing.
 *
 * <pre>
 * mvn -q test-compile dependency:build-classpath -Dmdep.outputFile=target/classpath
 * java -cp target/test-classes:target/classes:$(cat target/classpath) io.idefics.checkpoint.SyntheticCheckpoint \
 *     9b-instruct target/idefics-9b-synthetic src/test/resources/golden/models/tiny-bf16-sharded
 * </pre>
 *
 * The arguments are a size (9b, 9b-instruct, 80b, 80b-instruct) or the path of a config.json, the directory to write,
 * and a checkpoint directory whose tokenizer is copied. 9b takes 18 GB of disk, 80b 160 GB.
 */
public final class SyntheticCheckpoint {

    /** The shard size of the published checkpoints, in bytes. */
    static final long SHARD_BYTES = 10_000_000_000L;

    private static final int BUFFER_BYTES = 8 << 20;
    private static final String END_OF_UTTERANCE = "<end_of_utterance>";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path directory;
    private final short[] normals = new short[1 << 12];
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    private long state = 0x9e3779b97f4a7c15L;

    private SyntheticCheckpoint(Path directory) {
        this.directory = directory;
        Random random = new Random(1);
        for (int i = 0; i < normals.length; i++) {
            normals[i] = bfloat16(0.02f * (float) random.nextGaussian());
        }
    }

    public static void main(String[] arguments) throws IOException {
        if (arguments.length != 3) {
            throw new IllegalArgumentException(
                    "expected: <9b|9b-instruct|80b|80b-instruct|config.json> <directory> <tokenizer directory>");
        }
        Path given = Path.of(arguments[0]);
        ObjectNode config =
                Files.isRegularFile(given) ? (ObjectNode) JSON.readTree(given.toFile()) : publishedConfig(arguments[0]);
        write(config, Path.of(arguments[1]), Path.of(arguments[2]), SHARD_BYTES);
    }

    /** Writes a checkpoint for a configuration, in shards of at most the given size. */
    static void write(ObjectNode config, Path directory, Path tokenizerDirectory, long shardBytes) throws IOException {
        Files.createDirectories(directory);
        SyntheticCheckpoint checkpoint = new SyntheticCheckpoint(directory);
        checkpoint.writeJson("config.json", config);
        IdeficsConfig parsed = IdeficsConfig.read(directory.resolve("config.json"));
        checkpoint.writeTokenizer(parsed, tokenizerDirectory);
        checkpoint.writeSmallFiles(config, parsed);
        checkpoint.writeWeights(parsed, shardBytes);
    }

    /** The config.json of a published model, by its size: 9b, 9b-instruct, 80b or 80b-instruct. */
    public static ObjectNode publishedConfig(String size) {
        boolean large = size.startsWith("80b");
        if (!List.of("9b", "9b-instruct", "80b", "80b-instruct").contains(size)) {
            throw new IllegalArgumentException("unknown size " + size);
        }
        ObjectNode config = JSON.createObjectNode();
        config.putArray("architectures").add("IdeficsForVisionText2Text");
        config.put("model_type", "idefics");
        config.put("vocab_size", 32000);
        config.put("additional_vocab_size", size.endsWith("-instruct") ? 3 : 2);
        config.put("hidden_size", large ? 8192 : 4096);
        config.put("intermediate_size", large ? 22016 : 11008);
        config.put("num_hidden_layers", large ? 80 : 32);
        config.put("num_attention_heads", large ? 64 : 32);
        config.put("cross_layer_interval", 4);
        config.put("rms_norm_eps", large ? 1e-5 : 1e-6);
        config.put("hidden_act", "silu");
        config.put("qk_layer_norms", true);
        config.put("use_resampler", true);
        config.put("alpha_type", "float").put("alpha_initializer", "zeros");
        config.put("tie_word_embeddings", false);
        config.put("pad_token_id", 0).put("bos_token_id", 1).put("eos_token_id", 2);
        config.put("max_position_embeddings", 2048);
        config.put("torch_dtype", "bfloat16");
        config.putObject("vision_config")
                .put("model_type", "idefics")
                .put("embed_dim", 1280)
                .put("image_size", 224)
                .put("intermediate_size", 5120)
                .put("patch_size", 14)
                .put("num_hidden_layers", 32)
                .put("num_attention_heads", 16)
                .put("num_channels", 3)
                .put("layer_norm_eps", 1e-5)
                .put("hidden_act", "gelu");
        config.putObject("perceiver_config")
                .put("model_type", "idefics")
                .put("use_resampler", false)
                .put("resampler_n_latents", 64)
                .put("resampler_depth", 6)
                .put("resampler_n_heads", 16)
                .put("resampler_head_dim", 96)
                .put("qk_layer_norms_perceiver", true);
        return config;
    }

    /** Copies the tokenizer without the added tokens that the vocabulary has no rows for. */
    private void writeTokenizer(IdeficsConfig config, Path source) throws IOException {
        ObjectNode tokenizer =
                (ObjectNode) JSON.readTree(source.resolve("tokenizer.json").toFile());
        ArrayNode kept = JSON.createArrayNode();
        for (JsonNode token : tokenizer.withArray("added_tokens")) {
            if (token.path("id").asInt() < config.totalVocabSize()) {
                kept.add(token);
            }
        }
        tokenizer.set("added_tokens", kept);
        writeJson("tokenizer.json", tokenizer);
        Files.copy(
                source.resolve("tokenizer_config.json"),
                directory.resolve("tokenizer_config.json"),
                StandardCopyOption.REPLACE_EXISTING);
        ObjectNode special = (ObjectNode)
                JSON.readTree(source.resolve("special_tokens_map.json").toFile());
        ArrayNode additional = JSON.createArrayNode();
        for (JsonNode token : special.withArray("additional_special_tokens")) {
            if (config.additionalVocabSize() > 2 || !token.asText().equals(END_OF_UTTERANCE)) {
                additional.add(token);
            }
        }
        special.set("additional_special_tokens", additional);
        writeJson("special_tokens_map.json", special);
    }

    private void writeSmallFiles(ObjectNode config, IdeficsConfig parsed) throws IOException {
        ObjectNode generation = JSON.createObjectNode().put("_from_model_config", true);
        for (String key : List.of("bos_token_id", "eos_token_id", "pad_token_id")) {
            generation.set(key, config.path(key));
        }
        writeJson("generation_config.json", generation);
        ObjectNode preprocessor = JSON.createObjectNode()
                .put("image_processor_type", "IdeficsImageProcessor")
                .put("image_num_channels", 3)
                .put("image_size", parsed.visionConfig().imageSize());
        preprocessor.putArray("image_mean").add(0.48145466).add(0.4578275).add(0.40821073);
        preprocessor.putArray("image_std").add(0.26862954).add(0.26130258).add(0.27577711);
        writeJson("preprocessor_config.json", preprocessor);
    }

    private void writeWeights(IdeficsConfig config, long shardBytes) throws IOException {
        List<Map<String, TensorSpec>> shards = shards(config, shardBytes);
        ObjectNode index = JSON.createObjectNode();
        long totalBytes = shards.stream()
                .flatMap(shard -> shard.values().stream())
                .mapToLong(SafetensorsWriter::bytes)
                .sum();
        index.putObject("metadata").put("total_size", totalBytes);
        ObjectNode weightMap = index.putObject("weight_map");
        for (int shard = 0; shard < shards.size(); shard++) {
            String file = String.format(Locale.ROOT, "model-%05d-of-%05d.safetensors", shard + 1, shards.size());
            SafetensorsWriter.write(directory.resolve(file), shards.get(shard), this::writeRandom);
            shards.get(shard).keySet().forEach(name -> weightMap.put(name, file));
        }
        writeJson("model.safetensors.index.json", index);
    }

    private static List<Map<String, TensorSpec>> shards(IdeficsConfig config, long shardBytes) {
        List<Map<String, TensorSpec>> shards = new ArrayList<>();
        long used = Long.MAX_VALUE / 2;
        for (Map.Entry<String, long[]> tensor :
                IdeficsParameters.expected(config).entrySet()) {
            TensorSpec spec = new TensorSpec(TensorType.BF16, tensor.getValue());
            used += SafetensorsWriter.bytes(spec);
            if (used > shardBytes) {
                shards.add(new LinkedHashMap<>());
                used = SafetensorsWriter.bytes(spec);
            }
            shards.get(shards.size() - 1).put(tensor.getKey(), spec);
        }
        return shards;
    }

    private void writeRandom(String name, TensorSpec spec, WritableByteChannel out) throws IOException {
        float constant = name.contains(".alpha_") ? 0.5f : name.endsWith(".weight") && isNorm(name) ? 1f : Float.NaN;
        short value = bfloat16(constant);
        for (long left = SafetensorsWriter.bytes(spec); left > 0; left -= buffer.limit()) {
            buffer.clear().limit((int) Math.min(BUFFER_BYTES, left));
            if (Float.isNaN(constant)) {
                fillNormal();
            } else {
                while (buffer.hasRemaining()) {
                    buffer.putShort(value);
                }
            }
            SafetensorsWriter.writeFully(out, buffer.flip());
        }
    }

    /** Fills the buffer with entries of the table of normal values, five for each number of a xorshift generator. */
    private void fillNormal() {
        while (buffer.hasRemaining()) {
            state ^= state << 13;
            state ^= state >>> 7;
            state ^= state << 17;
            long bits = state;
            for (int i = 0; i < 5 && buffer.hasRemaining(); i++) {
                buffer.putShort(normals[(int) (bits & (normals.length - 1))]);
                bits >>>= 12;
            }
        }
    }

    private static boolean isNorm(String name) {
        return name.contains("norm") || name.contains("layrnorm") || name.endsWith(".ln.weight");
    }

    /** The upper half of a finite float, rounded to nearest. */
    private static short bfloat16(float value) {
        return (short) ((Float.floatToRawIntBits(value) + 0x8000) >>> 16);
    }

    private void writeJson(String name, JsonNode content) throws IOException {
        JSON.writerWithDefaultPrettyPrinter().writeValue(directory.resolve(name).toFile(), content);
    }
}
