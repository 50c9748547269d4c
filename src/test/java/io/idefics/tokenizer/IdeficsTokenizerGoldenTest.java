package io.idefics.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The tokenizer against tokenisations and generations of the reference. */
class IdeficsTokenizerGoldenTest {

    @ParameterizedTest
    @CsvSource({
        "golden_full, golden/models/tiny-bf16-sharded, 88",
        "golden_small, golden/models/tiny-f32, 44",
        "golden_base_no_eou, golden/models/tiny-80b-style, 0",
        "variant-normalized/golden, golden/tokenizer/variant-normalized, 9"
    })
    void encode_goldenText_givesReferenceIds(String golden, String directory, int leastCases) {
        JsonNode cases =
                ReferenceData.json("golden/tokenizer/" + golden + ".json").get("cases");
        assertThat(cases.size()).isPositive().isGreaterThanOrEqualTo(leastCases);
        try (IdeficsTokenizer tokenizer = IdeficsTokenizer.load(ReferenceData.path(directory + "/tokenizer.json"))) {
            for (JsonNode reference : cases) {
                String text = reference.get("text").textValue();
                int[] ids = ReferenceData.ints(reference.get("ids"));

                assertThat(tokenizer.encode(text)).as(text).isEqualTo(ids);
                if (!tokenizer.containsSpecialToken(text)) {
                    assertThat(tokenizer.encodePlain(text)).as(text).isEqualTo(ids);
                }
                if (reference.has("decoded")) {
                    assertDecodes(tokenizer, reference);
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource("golden_full, tiny-bf16-sharded")
    void decode_idsWithoutText_givesReferenceText(String golden, String model) {
        JsonNode cases =
                ReferenceData.json("golden/tokenizer/" + golden + ".json").get("decode_only");
        assertThat(cases).hasSize(13);
        try (IdeficsTokenizer tokenizer = ReferenceData.tokenizer(model)) {
            cases.forEach(reference -> assertDecodes(tokenizer, reference));
        }
    }

    @ParameterizedTest
    @CsvSource("tiny-bf16-sharded")
    void encode_promptOfThePublishedModel_givesPublishedIds(String model) {
        JsonNode evidence =
                ReferenceData.json("golden/tokenizer/golden_full.json").get("real_model_evidence");
        try (IdeficsTokenizer tokenizer = ReferenceData.tokenizer(model)) {
            assertThat(tokenizer.encode(evidence.get("text").textValue()))
                    .isEqualTo(ReferenceData.ints(evidence.get("ids")));
        }
    }

    @TestFactory
    Stream<DynamicTest> decode_generation_givesReferenceText() {
        return ReferenceData.MODELS.stream()
                .map(model -> DynamicTest.dynamicTest(model, () -> {
                    JsonNode generations = ReferenceData.json("golden/golden/" + model + ".json")
                            .get("generations");
                    assertThat(generations).isNotEmpty();
                    try (IdeficsTokenizer tokenizer = ReferenceData.tokenizer(model)) {
                        for (JsonNode generation : generations) {
                            assertGenerationDecodes(tokenizer, generation);
                        }
                    }
                }));
    }

    @ParameterizedTest
    @CsvSource({"generated_ids, text", "generated_ids_f32, text_f32"})
    void decode_answerOfTheEmbeddedModel_givesReferenceText(String ids, String text) {
        List<JsonNode> answers = ReferenceData.jsonLines("mini-eval/reference_answers.jsonl");
        assertThat(answers).hasSize(40);
        try (IdeficsTokenizer tokenizer = ReferenceData.miniTokenizer()) {
            for (JsonNode answer : answers) {
                int[] generated = ReferenceData.ints(answer.get(ids));
                String reference = answer.get(text).textValue();

                assertThat(tokenizer.decode(generated, true)).isEqualTo(reference);
                assertThat(IncrementalDecoderTest.decodeOneByOne(tokenizer, generated))
                        .isEqualTo(reference);
            }
        }
    }

    private static void assertDecodes(IdeficsTokenizer tokenizer, JsonNode reference) {
        int[] ids = ReferenceData.ints(reference.get("ids"));
        String skipped = reference.get("decoded_skip_special").textValue();
        assertThat(tokenizer.decode(ids, false))
                .isEqualTo(reference.get("decoded").textValue());
        assertThat(tokenizer.decode(ids, true)).isEqualTo(skipped);
        assertThat(IncrementalDecoderTest.decodeOneByOne(tokenizer, ids)).isEqualTo(skipped);
    }

    private static void assertGenerationDecodes(IdeficsTokenizer tokenizer, JsonNode generation) {
        List<JsonNode> rows = StreamSupport.stream(generation.get("new_tokens").spliterator(), false)
                .toList();
        for (int row = 0; row < rows.size(); row++) {
            int[] ids = ReferenceData.ints(rows.get(row));
            String text = generation.get("text").get(row).textValue();
            assertThat(tokenizer.decode(ids, true)).isEqualTo(text);
            assertThat(tokenizer.decode(ids, false))
                    .isEqualTo(generation.get("text_with_special").get(row).textValue());
            assertThat(IncrementalDecoderTest.decodeOneByOne(tokenizer, ids)).isEqualTo(text);
        }
    }
}
