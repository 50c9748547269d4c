package io.idefics.checkpoint;

import static io.idefics.checkpoint.CheckpointException.quote;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Parser of a safetensors header; what it returns has passed every check of the format. */
final class SafetensorsHeader {

    /** A tensor whose bytes lie at begin..end of the data section. */
    record Entry(TensorType type, long[] shape, long begin, long end) {}

    private static final String METADATA = "__metadata__";
    private static final int MAX_RANK = 8;

    private final Path path;
    private final JsonParser json;
    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    private SafetensorsHeader(Path path, JsonParser json) {
        this.path = path;
        this.json = json;
    }

    /**
     * Parses a header.
     *
     * @param dataLength bytes that follow the header in the file
     * @throws CheckpointException naming the file, and the tensor where one is at fault
     */
    static SafetensorsHeader parse(Path path, byte[] header, long dataLength) {
        try (JsonParser json = JsonFile.FACTORY.createParser(strictUtf8(header))) {
            SafetensorsHeader parsed = new SafetensorsHeader(path, json);
            parsed.readEntries();
            parsed.checkTiling(dataLength);
            return parsed;
        } catch (CharacterCodingException e) {
            throw new CheckpointException(path + ": header is not UTF-8", e);
        } catch (JsonProcessingException e) {
            throw new CheckpointException(path + ": malformed header: " + quote(e.getOriginalMessage()), e);
        } catch (IOException e) {
            throw new CheckpointException(path + ": header cannot be read: " + e.getMessage(), e);
        }
    }

    Map<String, Entry> entries() {
        return entries;
    }

    /** The free texts of the header, by name. */
    Map<String, String> metadata() {
        return metadata;
    }

    private static String strictUtf8(byte[] header) throws CharacterCodingException {
        return StandardCharsets.UTF_8
                .newDecoder() // reports malformed input instead of replacing it
                .decode(ByteBuffer.wrap(header))
                .toString();
    }

    private void readEntries() throws IOException {
        // The format allows padding after the object, none before it.
        if (json.nextToken() != JsonToken.START_OBJECT
                || json.currentTokenLocation().getCharOffset() != 0) {
            throw new CheckpointException(path + ": header is not a JSON object");
        }
        while (json.nextToken() != JsonToken.END_OBJECT) {
            String name = json.currentName();
            if (json.nextToken() != JsonToken.START_OBJECT) {
                throw fault(name, "is not described by an object");
            }
            if (name.equals(METADATA)) {
                readMetadata();
            } else {
                entries.put(name, readEntry(name));
            }
        }
        if (json.nextToken() != null) {
            throw new CheckpointException(path + ": header goes on after its JSON object");
        }
    }

    private void readMetadata() throws IOException {
        while (json.nextToken() != JsonToken.END_OBJECT) {
            String name = json.currentName();
            if (json.nextToken() != JsonToken.VALUE_STRING) {
                throw new CheckpointException(path + ": metadata value of " + quote(name) + " is not a string");
            }
            metadata.put(name, json.getText());
        }
    }

    private Entry readEntry(String name) throws IOException {
        TensorType type = null;
        long[] shape = null;
        long[] offsets = null;
        while (json.nextToken() != JsonToken.END_OBJECT) {
            String key = json.currentName();
            json.nextToken();
            switch (key) {
                case "dtype" -> type = type(name);
                case "shape" -> shape = numbers(name, "shape", MAX_RANK);
                case "data_offsets" -> offsets = numbers(name, "data_offsets", 2);
                default -> throw fault(name, "has an unknown key " + quote(key));
            }
        }
        if (type == null || shape == null || offsets == null || offsets.length != 2) {
            throw fault(name, "needs dtype, shape and two data_offsets");
        }
        checkSize(name, type, shape, offsets);
        return new Entry(type, shape, offsets[0], offsets[1]);
    }

    private TensorType type(String name) throws IOException {
        String dtype = json.currentToken() == JsonToken.VALUE_STRING ? json.getText() : "";
        for (TensorType type : TensorType.values()) {
            if (type.name().equals(dtype)) {
                return type;
            }
        }
        throw fault(name, "has the unsupported dtype " + quote(json.getText()));
    }

    private long[] numbers(String name, String key, int most) throws IOException {
        if (json.currentToken() != JsonToken.START_ARRAY) {
            throw fault(name, "has a " + key + " that is not a list");
        }
        List<Long> numbers = new ArrayList<>();
        while (json.nextToken() != JsonToken.END_ARRAY) {
            boolean fits = json.currentToken() == JsonToken.VALUE_NUMBER_INT
                    && json.getNumberType() != JsonParser.NumberType.BIG_INTEGER
                    && json.getLongValue() >= 0;
            if (!fits) {
                throw fault(name, "has " + quote(json.getText()) + " in its " + key + ", not a size");
            } else if (numbers.size() == most) {
                throw fault(name, "has more than " + most + " numbers in its " + key);
            }
            numbers.add(json.getLongValue());
        }
        return numbers.stream().mapToLong(Long::longValue).toArray();
    }

    private void checkSize(String name, TensorType type, long[] shape, long[] offsets) {
        long bytes;
        try {
            bytes = Math.multiplyExact(IdeficsParameters.elements(shape), type.byteSize());
        } catch (ArithmeticException e) {
            throw fault(name, "has a shape whose size overflows");
        }
        if (offsets[1] - offsets[0] != bytes) {
            throw fault(
                    name, "needs " + bytes + " bytes but has the data_offsets " + offsets[0] + " and " + offsets[1]);
        }
    }

    /** Tensors ordered by position must follow each other without hole or overlap and end where the file ends. */
    private void checkTiling(long dataLength) {
        List<Map.Entry<String, Entry>> ordered = new ArrayList<>(entries.entrySet());
        ordered.sort(Comparator.comparingLong(
                        (Map.Entry<String, Entry> entry) -> entry.getValue().begin())
                .thenComparingLong(entry -> entry.getValue().end()));
        long end = 0;
        for (Map.Entry<String, Entry> entry : ordered) {
            if (entry.getValue().begin() != end) {
                throw fault(
                        entry.getKey(),
                        "begins at " + entry.getValue().begin() + " where the tensor before it ends at " + end);
            }
            end = entry.getValue().end();
            if (end > dataLength) {
                throw fault(entry.getKey(), "ends at " + end + " but the file holds " + dataLength + " bytes of data");
            }
        }
        if (end != dataLength) {
            throw new CheckpointException(
                    path + ": the tensors end at " + end + " but the file holds " + dataLength + " bytes of data");
        }
    }

    private CheckpointException fault(String name, String reason) {
        return new CheckpointException(path + ": tensor " + quote(name) + " " + reason);
    }
}
