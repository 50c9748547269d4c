package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.checkpoint.TestModels;
import io.idefics.testing.GoldenCase;
import io.idefics.testing.GoldenCase.Tolerance;
import io.idefics.tokenizer.IdeficsTokenizer;
import io.idefics.tokenizer.ReferenceData;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.springframework.test.annotation.DirtiesContext;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;

/** How likely the tokens of prompts are, over HTTP, against the logits of the reference for every checkpoint kind. */
@DirtiesContext
class PromptScoringGoldenIT extends RunningServer {

    /** The checkpoints and the results that were recorded for them. */
    private static final Map<String, String> CHECKPOINTS = Map.of(
            "tiny-f32", "tiny-f32",
            "tiny-bf16-sharded", "tiny-bf16-sharded",
            "tiny-80b-style", "tiny-80b-style",
            "tiny-noresampler", "tiny-noresampler",
            "tiny-bin", "tiny-bin",
            "tiny-bin-sharded", "tiny-bin");

    private static final int TOP = 5;

    @DynamicPropertySource
    static void serveCheckpoints(DynamicPropertyRegistry properties) {
        List<String> names = List.copyOf(CHECKPOINTS.keySet());
        for (int i = 0; i < names.size(); i++) {
            String name = names.get(i);
            properties.add("idefics.models[" + i + "].path", () -> TestModels.golden(name)
                    .toString());
            properties.add("idefics.models[" + i + "].dtype", () -> "float32");
        }
        properties.add("idefics.engine.kv-cache-size", () -> "32MB");
    }

    static Stream<Arguments> cases() {
        return CHECKPOINTS.entrySet().stream()
                .sorted(Map.Entry.comparingByKey())
                .flatMap(entry -> GoldenCase.all(entry.getValue()).stream()
                        .map(golden -> Arguments.of(entry.getKey(), golden.name(), golden)));
    }

    static Stream<String> checkpoints() {
        return CHECKPOINTS.keySet().stream().sorted();
    }

    /** Differences from the reference. */
    private static final class Differences {

        private double max;
        private double sum;
        private int count;

        void add(double actual, double expected) {
            double difference = Math.abs(actual - expected);
            assertThat(difference).isNotNaN();
            max = Math.max(max, difference);
            sum += difference;
            count++;
        }

        void assertWithin(Tolerance tolerance) {
            assertThat(count).isPositive();
            assertThat(max).isLessThanOrEqualTo(tolerance.max());
            assertThat(sum / count).isLessThanOrEqualTo(tolerance.mean());
        }
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("cases")
    void echo_goldenCase_tellsTheLogprobsOfTheReference(String model, String name, GoldenCase golden) {
        ObjectNode body =
                scoring(model, golden.prompts()).put("add_end_of_utterance_token", golden.addEndOfUtteranceToken());

        List<JsonNode> first = choices(body);
        List<JsonNode> again = choices(body.put("max_tokens", 1));

        List<float[][]> logits = golden.logits();
        assertThat(first).hasSameSizeAs(logits);
        Differences differences = new Differences();
        for (int prompt = 0; prompt < first.size(); prompt++) {
            JsonNode told = first.get(prompt).get("logprobs");
            int[] ids = golden.ids(prompt);
            assertThat(ids(told)).containsExactly(ids);
            assertThat(first.get(prompt).get("finish_reason").asText()).isEqualTo("length");
            compare(told, 1, ids.length, logits.get(prompt), differences);
            compareSame(again.get(prompt).get("logprobs"), told);
            compareGenerated(again.get(prompt).get("logprobs"), logits.get(prompt), differences);
        }
        differences.assertWithin(GoldenCase.tolerance(golden.data()));
    }

    /** Those whose options a request has, and whose texts do not write the image token: a guess which picture it stands for. */
    static Stream<Arguments> processorCases() {
        JsonNode cases = ReferenceData.json("golden/processor/cases.json");
        return Stream.concat(
                        elements(cases.get("cases")).map(fact -> Arguments.of("tiny-bf16-sharded", fact)),
                        elements(cases.at("/base_model_cases/cases")).map(fact -> Arguments.of("tiny-80b-style", fact)))
                .filter(arguments -> {
                    JsonNode fact = (JsonNode) arguments.get()[1];
                    return !fact.get("name").textValue().startsWith("literal_image_token")
                            && !fact.get("options").has("add_eos_token")
                            && !fact.get("options").has("truncation");
                });
    }

    @ParameterizedTest
    @MethodSource("processorCases")
    void echo_processorCase_hasTheIdsOfTheReference(String model, JsonNode fact) {
        boolean hasToken = model.equals("tiny-bf16-sharded");
        boolean separates = fact.at("/options/add_end_of_utterance_token").asBoolean(hasToken);

        List<JsonNode> choices = choices(
                scoring(model, GoldenCase.parts(fact.get("prompts"))).put("add_end_of_utterance_token", separates));

        for (int prompt = 0; prompt < choices.size(); prompt++) {
            int[] padded = ReferenceData.ints(fact.get("input_ids").get(prompt));
            int[] expected = Arrays.stream(padded).dropWhile(id -> id == 0).toArray();
            assertThat(ids(choices.get(prompt).get("logprobs"))).containsExactly(expected);
        }
    }

    @Test
    void processorCases_filtered_haveTheExampleOfTheAnnouncement() {
        assertThat(processorCases()
                        .map(arguments ->
                                ((JsonNode) arguments.get()[1]).get("name").textValue()))
                .hasSize(24)
                .contains("model_card_dialogue_no_eou");
    }

    @ParameterizedTest
    @MethodSource("checkpoints")
    void echo_tokens_haveTheirTextsAndPlaces(String model) {
        GoldenCase golden = golden(model, "three_images");
        ObjectNode body = scoring(model, golden.prompts())
                .put("add_end_of_utterance_token", golden.addEndOfUtteranceToken())
                .put("return_tokens_as_token_ids", false);

        JsonNode choice = choices(body).get(0);

        JsonNode told = choice.get("logprobs");
        String text = choice.get("text").asText();
        int[] ids = golden.ids(0);
        try (IdeficsTokenizer tokenizer = ReferenceData.tokenizer(model)) {
            assertThat(text).isEqualTo(tokenizer.decode(ids, true));
            for (int i = 0; i < ids.length; i++) {
                String own = tokenizer.piece(ids[i]).text();
                assertThat(told.get("tokens").get(i).asText()).isEqualTo(own);
                int offset = text.offsetByCodePoints(
                        0, told.get("text_offset").get(i).asInt());
                boolean isSpecial = tokenizer.piece(ids[i]).bytes() == null;
                assertThat(text.substring(offset)).startsWith(isSpecial ? "" : i == 1 ? own.stripLeading() : own);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("checkpoints")
    void echo_truncatedPrompt_isScoredAsTheRestAlone(String model) {
        GoldenCase golden = golden(model, "three_images");
        int[] all = golden.ids(0);
        int kept = all.length - 12;

        JsonNode told = choices(scoring(model, golden.prompts())
                        .put("add_end_of_utterance_token", golden.addEndOfUtteranceToken())
                        .put("truncate_prompt_tokens", kept))
                .get(0)
                .get("logprobs");

        assertThat(ids(told)).containsExactly(Arrays.copyOfRange(all, all.length - kept, all.length));
        assertThat(told.get("token_logprobs").get(0).isNull()).isTrue();
    }

    /** A prompt that is scored in several steps, against the same tokens one by one. */
    @ParameterizedTest
    @MethodSource("checkpoints")
    void echo_longPrompt_isScoredAsItsTokensWouldBeGenerated(String model) {
        int[] ids = new Random(model.hashCode()).ints(300, 3, 999).toArray();
        ids[0] = 1;
        JsonNode told = choices(scoring(model, JSON.createArrayNode().add(array(ids))))
                .get(0)
                .get("logprobs");

        assertThat(ids(told)).containsExactly(ids);
        for (int length : new int[] {1, 2, 16, 63, 64, 65, 127, 128, 129, 200, 299}) {
            ObjectNode body = scoring(model, JSON.createArrayNode().add(array(Arrays.copyOf(ids, length))))
                    .put("echo", false)
                    .put("max_tokens", 1)
                    .put("min_tokens", 1);
            body.putObject("logit_bias").put(String.valueOf(ids[length]), 100);
            JsonNode next = choices(body).get(0).get("logprobs");
            assertThat(next.get("tokens").get(0).asText()).isEqualTo("token_id:" + ids[length]);
            assertThat(told.get("token_logprobs").get(length).asDouble())
                    .as("token %d", length)
                    .isCloseTo(next.get("token_logprobs").get(0).asDouble(), within(1e-4));
        }
    }

    /** Compares what is told of tokens with the logits after the token before each. */
    private static void compare(JsonNode told, int from, int to, float[][] logits, Differences differences) {
        int[] ids = ids(told);
        for (int i = from; i < to; i++) {
            double[] expected = logSoftmax(logits[i - 1]);
            differences.add(told.get("token_logprobs").get(i).asDouble(), expected[ids[i]]);
            compareTop(told.get("top_logprobs").get(i), ids[i], expected, differences);
        }
    }

    /** Compares what is told of the one token after the prompt. */
    private static void compareGenerated(JsonNode told, float[][] logits, Differences differences) {
        int last = logits.length;
        assertThat(told.get("tokens").size()).isEqualTo(last + 1);
        compare(told, last, last + 1, logits, differences);
    }

    private static void compareTop(JsonNode top, int chosen, double[] expected, Differences differences) {
        double[] likeliest = Arrays.stream(expected)
                .map(logprob -> -logprob)
                .sorted()
                .limit(TOP)
                .map(logprob -> -logprob)
                .toArray();
        assertThat(top.size()).isBetween(TOP, TOP + 1);
        int rank = 0;
        for (var candidate : top.properties()) {
            int id = id(candidate.getKey());
            double logprob = candidate.getValue().asDouble();
            differences.add(logprob, expected[id]);
            if (rank < TOP) {
                differences.add(logprob, likeliest[rank]);
            } else {
                assertThat(id).isEqualTo(chosen);
            }
            rank++;
        }
    }

    /** The prompt tokens of both, the second time from the cache or not. */
    private static void compareSame(JsonNode again, JsonNode first) {
        for (int i = 1; i < first.get("tokens").size(); i++) {
            assertThat(again.get("tokens").get(i)).isEqualTo(first.get("tokens").get(i));
            assertThat(again.get("token_logprobs").get(i).asDouble())
                    .isCloseTo(first.get("token_logprobs").get(i).asDouble(), within(1e-5));
        }
    }

    private List<JsonNode> choices(ObjectNode body) {
        HttpResponse<String> response = post("/v1/completions", body.toString());
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return elements(json(response).get("choices")).toList();
    }

    private static Stream<JsonNode> elements(JsonNode array) {
        return IntStream.range(0, array.size()).mapToObj(array::get);
    }

    private static ObjectNode scoring(String model, ArrayNode prompts) {
        ObjectNode body = JSON.createObjectNode()
                .put("model", model)
                .put("echo", true)
                .put("logprobs", TOP)
                .put("max_tokens", 0)
                .put("return_tokens_as_token_ids", true);
        body.set("prompt", prompts);
        return body;
    }

    private static GoldenCase golden(String model, String name) {
        return GoldenCase.all(CHECKPOINTS.get(model)).stream()
                .filter(golden -> golden.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    private static ArrayNode array(int[] ids) {
        ArrayNode array = JSON.createArrayNode();
        Arrays.stream(ids).forEach(array::add);
        return array;
    }

    private static int[] ids(JsonNode logprobs) {
        List<Integer> ids = new ArrayList<>();
        logprobs.get("tokens").forEach(token -> ids.add(id(token.asText())));
        return ids.stream().mapToInt(Integer::intValue).toArray();
    }

    private static int id(String token) {
        assertThat(token).startsWith("token_id:");
        return Integer.parseInt(token.substring("token_id:".length()));
    }

    private static double[] logSoftmax(float[] logits) {
        double max = IntStream.range(0, logits.length)
                .mapToDouble(i -> logits[i])
                .max()
                .orElseThrow();
        double sum = IntStream.range(0, logits.length)
                .mapToDouble(i -> Math.exp(logits[i] - max))
                .sum();
        return IntStream.range(0, logits.length)
                .mapToDouble(i -> logits[i] - max - Math.log(sum))
                .toArray();
    }
}
