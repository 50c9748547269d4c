package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Pictures made to be hard to decode, and damaged ones: each is decoded, or refused and nothing else happens. */
class HardPicturesTest {

    private static final int MUTANTS = 600;

    private final ImageDecoder decoder = new ImageDecoder(ImageLimits.defaults(), true, 64 << 20);

    static List<JsonNode> pictures() throws IOException {
        List<JsonNode> pictures = new ArrayList<>();
        new ObjectMapper()
                .readTree(resource("/pictures/manifest.json"))
                .get("images")
                .forEach(pictures::add);
        return pictures;
    }

    @ParameterizedTest
    @MethodSource("pictures")
    void decode_hardPicture_isAsExpected(JsonNode expected) throws Exception {
        byte[] bytes = resource("/pictures/" + expected.get("file").asText());

        CorpusTool.Outcome outcome = CorpusTool.run(bytes, decoder, null);

        assertThat(CorpusTool.problem(expected, outcome, new TreeMap<>())).isNull();
    }

    @Test
    void decode_damagedPictures_areDecodedOrRefused() throws IOException {
        List<byte[]> pictures = new ArrayList<>();
        for (String name : GoldenImages.names()) {
            pictures.add(GoldenImages.bytes(name));
        }
        for (String name : TiffImageTest.names()) {
            pictures.add(resource("/tiff/" + name + ".tif"));
        }

        Map<String, Integer> outcomes = new TreeMap<>();
        for (int seed = 0; seed < MUTANTS; seed++) {
            String outcome = MutationTool.decode(decoder, Mutations.mutant(pictures, seed));
            assertThat(outcome).as("mutant %d", seed).doesNotContain("PROBLEM", "OVERLOADED");
            outcomes.merge(outcome, 1, Integer::sum);
        }

        assertThat(outcomes).containsKeys("decoded", "INVALID_IMAGE_FORMAT");
    }

    static byte[] resource(String name) throws IOException {
        try (InputStream in = HardPicturesTest.class.getResourceAsStream(name)) {
            return in.readAllBytes();
        }
    }
}
