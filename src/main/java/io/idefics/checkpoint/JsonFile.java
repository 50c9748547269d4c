package io.idefics.checkpoint;

import static io.idefics.checkpoint.CheckpointException.quote;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Reads the JSON files of a checkpoint strictly: bounded size and nesting, no duplicate keys, nothing after the end. */
final class JsonFile {

    /** The most bytes a configuration file may have. */
    static final long CONFIG_LIMIT = 1_000_000;

    static final JsonFactory FACTORY = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxNestingDepth(64).build())
            .build();

    private static final JsonMapper MAPPER = JsonMapper.builder(FACTORY)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private JsonFile() {}

    /**
     * The object that a file holds.
     *
     * @param limit the most bytes the file may have
     * @throws CheckpointException naming the file when it is missing, too large or not one JSON object
     */
    static JsonSection readObject(Path file, long limit) {
        byte[] bytes = readBytes(file, limit);
        JsonNode root;
        try {
            root = MAPPER.readTree(bytes);
        } catch (JsonProcessingException e) {
            throw malformed(file, bytes, e);
        } catch (IOException e) {
            throw new CheckpointException(file + ": cannot be read: " + e.getMessage(), e);
        }
        if (!(root instanceof ObjectNode object)) {
            throw new CheckpointException(file + ": expected a JSON object, found " + root.getNodeType());
        }
        return new JsonSection(file, "", object);
    }

    /**
     * Checks that a file is one well-formed JSON object without keeping it.
     *
     * @throws CheckpointException naming the file when it is missing, too large or malformed
     */
    static void checkObject(Path file, long limit) {
        byte[] bytes = readBytes(file, limit);
        try (JsonParser parser = JsonFactory.builder().build().createParser(bytes)) {
            boolean object = parser.nextToken() == JsonToken.START_OBJECT;
            parser.skipChildren();
            if (!object || parser.nextToken() != null) {
                throw new CheckpointException(file + ": expected one JSON object");
            }
        } catch (JsonProcessingException e) {
            throw malformed(file, bytes, e);
        } catch (IOException e) {
            throw new CheckpointException(file + ": cannot be read: " + e.getMessage(), e);
        }
    }

    private static byte[] readBytes(Path file, long limit) {
        if (!Files.isRegularFile(file)) {
            throw new CheckpointException(file + ": no such file");
        }
        try (InputStream in = Files.newInputStream(file)) {
            long size = Files.size(file);
            byte[] bytes = size > limit ? new byte[0] : in.readNBytes(Math.toIntExact(limit) + 1);
            if (Math.max(size, bytes.length) > limit) {
                throw new CheckpointException(file + ": " + size + " bytes, the limit is " + limit);
            } else if (bytes.length == 0) {
                throw new CheckpointException(file + ": not JSON but " + FileSignature.EMPTY.description());
            }
            return bytes;
        } catch (IOException e) {
            throw new CheckpointException(file + ": cannot be read: " + e.getMessage(), e);
        }
    }

    private static CheckpointException malformed(Path file, byte[] bytes, JsonProcessingException e) {
        FileSignature signature = FileSignature.of(bytes);
        String reason = signature == FileSignature.UNKNOWN
                ? "malformed JSON: " + quote(e.getOriginalMessage())
                : "not JSON but " + signature.description();
        return new CheckpointException(file + ": " + reason, e);
    }
}
