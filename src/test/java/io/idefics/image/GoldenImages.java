package io.idefics.image;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.testing.SafetensorsReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;

/** The pictures of the reference data, with what the reference made of them. */
final class GoldenImages {

    static final JsonNode FACTS = facts();
    static final SafetensorsReader TENSORS = SafetensorsReader.ofResource("golden/images/expected.safetensors");

    private GoldenImages() {}

    /** Names of all pictures. */
    static List<String> names() {
        List<String> names = new ArrayList<>();
        FACTS.get("images")
                .forEach(image -> names.add(image.get("file").asText().substring("images/".length())));
        return names;
    }

    static JsonNode facts(String name) {
        for (JsonNode image : FACTS.get("images")) {
            if (image.get("file").asText().equals("images/" + name)) {
                return image;
            }
        }
        throw new IllegalArgumentException("no picture " + name);
    }

    static byte[] bytes(String name) {
        try (InputStream in = GoldenImages.class.getResourceAsStream("/golden/images/" + name)) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static float[] floats(String field) {
        JsonNode array = FACTS.get(field);
        float[] values = new float[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) array.get(i).asDouble();
        }
        return values;
    }

    private static JsonNode facts() {
        try {
            return new ObjectMapper().readTree(bytes("expected.json"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
