package io.idefics.processing;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.tokenizer.IdeficsTokenizer;
import io.idefics.tokenizer.ReferenceData;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The processor against prompts, ids and masks of the reference processor. */
class IdeficsProcessorGoldenTest {

    private static final JsonNode CASES = ReferenceData.json("golden/processor/cases.json");
    private static final MaskFile MASKS = new MaskFile("golden/processor/cases.safetensors");

    private static IdeficsTokenizer instructTokenizer;
    private static IdeficsTokenizer baseTokenizer;

    @BeforeAll
    static void load() {
        instructTokenizer = ReferenceData.tokenizer("tiny-bf16-sharded");
        baseTokenizer = ReferenceData.tokenizer("tiny-80b-style");
    }

    @AfterAll
    static void close() {
        instructTokenizer.close();
        baseTokenizer.close();
    }

    @TestFactory
    Stream<DynamicTest> process_caseOfTheInstructModel_givesReferenceBatch() {
        assertThat(CASES.get("cases")).hasSize(25);
        return tests(CASES.get("cases"), reference -> {
            IdeficsProcessor processor = new IdeficsProcessor(instructTokenizer, true);
            ProcessorOptions options = options(reference.get("options"), processor.defaults());

            assertText(processor, reference, options);
            ProcessedBatch batch = processor.process(prompts(reference), options);
            assertBatch(batch, reference);
            String name = reference.get("name").textValue();
            assertThat(batch.inputIds()).isDeepEqualTo(MASKS.matrix(name + ".input_ids"));
            assertThat(batch.attentionMask()).isDeepEqualTo(MASKS.matrix(name + ".attention_mask"));
            assertThat(batch.imageAttentionMask()).isDeepEqualTo(MASKS.cube(name + ".image_attention_mask"));
        });
    }

    @TestFactory
    Stream<DynamicTest> process_caseOfTheBaseModel_givesReferenceIds() {
        JsonNode cases = CASES.at("/base_model_cases/cases");
        assertThat(cases).hasSize(3);
        return tests(cases, reference -> {
            IdeficsProcessor processor = new IdeficsProcessor(baseTokenizer, false);
            ProcessorOptions options = options(reference.get("options"), processor.defaults());

            assertText(processor, reference, options);
            ProcessedBatch batch = processor.process(prompts(reference), options);
            assertThat(batch.inputIds()).isDeepEqualTo(ReferenceData.rows(reference.get("input_ids")));
        });
    }

    @TestFactory
    Stream<DynamicTest> process_caseOfAModel_givesReferenceBatch() {
        return ReferenceData.MODELS.stream()
                .map(model -> DynamicTest.dynamicTest(model, () -> {
                    JsonNode golden = ReferenceData.json("golden/golden/" + model + ".json");
                    assertThat(golden.get("cases")).hasSize(6);
                    try (IdeficsTokenizer tokenizer = ReferenceData.tokenizer(model)) {
                        for (JsonNode reference : golden.get("cases")) {
                            IdeficsProcessor processor = new IdeficsProcessor(
                                    tokenizer,
                                    reference.get("add_end_of_utterance_token").booleanValue());
                            assertBatch(processor.process(prompts(reference), processor.defaults()), reference);
                        }
                    }
                }));
    }

    @TestFactory
    Stream<DynamicTest> prepare_promptWithoutSpecialText_givesReferenceIds() {
        List<String> harmless = List.of(
                "image_only", "image_first", "image_middle", "image_last", "two_adjacent", "three_adjacent", "unicode");
        return tests(CASES.get("cases"), reference -> {
                    IdeficsProcessor processor = new IdeficsProcessor(instructTokenizer, true);
                    PreparedPrompt prompt = processor.prepare(prompts(reference).get(0), 2048);

                    assertThat(prompt.inputIds()).isEqualTo(ReferenceData.ints(reference.at("/input_ids/0")));
                    assertThat(prompt.imageIndex()).isEqualTo(ReferenceData.ints(reference.at("/image_index/0")));
                })
                .filter(test -> harmless.contains(test.getDisplayName()));
    }

    private static Stream<DynamicTest> tests(JsonNode cases, Consumer<JsonNode> check) {
        return StreamSupport.stream(cases.spliterator(), false)
                .map(reference ->
                        DynamicTest.dynamicTest(reference.get("name").textValue(), () -> check.accept(reference)));
    }

    private static void assertText(IdeficsProcessor processor, JsonNode reference, ProcessorOptions options) {
        List<String> texts = prompts(reference).stream()
                .map(prompt -> processor.fullText(prompt, options))
                .toList();
        assertThat(texts)
                .isEqualTo(StreamSupport.stream(reference.get("full_text").spliterator(), false)
                        .map(JsonNode::textValue)
                        .toList());
    }

    private static void assertBatch(ProcessedBatch batch, JsonNode reference) {
        assertThat(batch.inputIds()).isDeepEqualTo(ReferenceData.rows(reference.get("input_ids")));
        assertThat(batch.attentionMask()).isDeepEqualTo(ReferenceData.rows(reference.get("attention_mask")));
        assertThat(batch.imageIndex()).isDeepEqualTo(ReferenceData.rows(reference.get("image_index")));
        if (reference.has("image_attention_mask_shape")) {
            assertThat(batch.imageSlots())
                    .isEqualTo(reference.at("/image_attention_mask_shape/2").intValue());
        }
    }

    private static List<List<PromptItem>> prompts(JsonNode reference) {
        return StreamSupport.stream(reference.get("prompts").spliterator(), false)
                .map(prompt -> StreamSupport.stream(prompt.spliterator(), false)
                        .map(IdeficsProcessorGoldenTest::item)
                        .toList())
                .toList();
    }

    private static PromptItem item(JsonNode item) {
        return item.has("text") ? new PromptItem.Text(item.get("text").textValue()) : new PromptItem.Image();
    }

    private static ProcessorOptions options(JsonNode options, ProcessorOptions defaults) {
        OptionalInt maxLength = options.has("max_length")
                ? OptionalInt.of(options.get("max_length").intValue())
                : OptionalInt.empty();
        return new ProcessorOptions(
                options.path("add_end_of_utterance_token").asBoolean(defaults.addEndOfUtteranceToken()),
                options.path("add_eos_token").asBoolean(),
                options.path("truncation").asBoolean() ? maxLength : OptionalInt.empty(),
                options.path("padding").asText().equals("max_length") ? maxLength : OptionalInt.empty());
    }
}
