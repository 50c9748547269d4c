package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.testing.MiniEvaluation;
import io.idefics.testing.MiniEvaluation.Question;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Raw prompts with the embedded model. */
class TextCompletionIT extends RunningServer {

    private static final String PATH = "/v1/completions";
    private static final Duration SOON = Duration.ofSeconds(10);

    /** The example with which the models were announced, with pictures of the test's own host. */
    private static ObjectNode announcement() {
        ObjectNode body = JSON.createObjectNode();
        body.putArray("prompt")
                .addArray()
                .add("User: What is in this image?")
                .add(IMAGE_HOST.url("images/133.jpg"))
                .add("<end_of_utterance>")
                .add("\nAssistant: This picture depicts Idefix, the dog of Obelix in Asterix and Obelix. Idefix is"
                        + " running on the ground.<end_of_utterance>")
                .add("\nUser:")
                .add(IMAGE_HOST.url("images/015.png"))
                .add("And who is that?<end_of_utterance>")
                .add("\nAssistant:");
        body.put("add_end_of_utterance_token", false).put("max_length", 100);
        body.putArray("stop").add("<end_of_utterance>");
        body.putArray("bad_words").add("<image>").add("<fake_token_around_image>");
        return body;
    }

    @Test
    void complete_exampleOfTheAnnouncement_answersInOneRequest() {
        int connections = IMAGE_HOST.connections();

        JsonNode answer = ok(announcement().put("max_length", 150)); // this model splits texts into more tokens

        assertThat(IMAGE_HOST.connections()).isGreaterThan(connections);
        assertThat(answer.get("object").asText()).isEqualTo("text_completion");
        assertThat(answer.get("choices").size()).isEqualTo(1);
        JsonNode choice = answer.at("/choices/0");
        assertThat(choice.get("finish_reason").asText()).isEqualTo("stop");
        assertThat(choice.get("text").asText()).isNotBlank().doesNotContain("<", "User:");
        JsonNode usage = answer.get("usage");
        assertThat(usage.at("/prompt_tokens_details/image_tokens").asInt()).isEqualTo(6);
        assertThat(usage.get("total_tokens").asInt()).isLessThan(150);
    }

    @Test
    void complete_exampleOfTheAnnouncement_hasThePromptOfTheReference() {
        JsonNode choice =
                ok(announcement().put("echo", true).put("logprobs", 0)).at("/choices/0");

        String tokens = IntStream.range(0, choice.at("/logprobs/tokens").size())
                .mapToObj(i -> choice.at("/logprobs/tokens/" + i).asText())
                .collect(Collectors.joining());
        String picture = "<fake_token_around_image><image><fake_token_around_image>";
        assertThat(tokens)
                .startsWith(
                        "<s> User: What is in this image?" + picture + "<end_of_utterance> \nAssistant: This picture")
                .contains("on the ground.<end_of_utterance> \nUser:" + picture
                        + " And who is that?<end_of_utterance> \nAssistant:");
        assertThat(choice.get("text").asText()).startsWith("User: What is in this image? \nAssistant: This picture");
    }

    @Test
    void complete_exampleWithoutEnd_fillsTheLengthExactly() {
        ObjectNode body = announcement().put("ignore_eos", true);
        body.remove("stop");

        JsonNode answer = ok(body);

        assertThat(answer.at("/choices/0/finish_reason").asText()).isEqualTo("length");
        assertThat(answer.at("/usage/total_tokens").asInt()).isEqualTo(100);
    }

    @Test
    void complete_layoutOfAChat_givesTheAnswerOfTheChat() {
        Question question = MiniEvaluation.question(14);
        String url = MiniEvaluation.dataUrl(MiniEvaluation.image("images/015.png"));
        String chat = text(post(request(question.openAiMessages()).toString()));

        ObjectNode body = JSON.createObjectNode().put("max_tokens", 40);
        ArrayNode prompt = body.putArray("prompt");
        prompt.addObject().put("type", "text").put("text", "User: What color is the car?");
        prompt.addObject().put("type", "image_url").putObject("image_url").put("url", url);
        prompt.addObject().put("type", "text").put("text", "<end_of_utterance>\nAssistant:");

        assertThat(ok(body).at("/choices/0/text").asText()).isEqualTo(" " + chat);
    }

    @Test
    void complete_batchOfAllKinds_givesEachWhatItGetsAlone() {
        String url = MiniEvaluation.dataUrl(MiniEvaluation.image("images/003.png"));
        ArrayNode prompts = JSON.createArrayNode();
        prompts.add("User: Hi<end_of_utterance>\nAssistant:");
        prompts.addArray().add(1).add(501).add(643).add(899);
        prompts.addArray().add("User:").add(url).add("What is it?<end_of_utterance>\nAssistant:");
        ObjectNode body =
                body(prompts).put("n", 2).put("temperature", 1).put("seed", 5).put("logprobs", 1);

        JsonNode together = ok(body);

        assertThat(together.get("choices").size()).isEqualTo(6);
        int promptTokens = 0;
        for (int i = 0; i < 3; i++) {
            JsonNode alone = ok(body.set("prompt", JSON.createArrayNode().add(prompts.get(i))));
            promptTokens += alone.at("/usage/prompt_tokens").asInt();
            for (int choice = 0; choice < 2; choice++) {
                JsonNode actual = together.get("choices").get(2 * i + choice);
                JsonNode expected = alone.get("choices").get(choice);
                assertThat(actual.get("index").asInt()).isEqualTo(2 * i + choice);
                assertThat(actual.get("text")).isEqualTo(expected.get("text"));
                assertThat(actual.get("finish_reason")).isEqualTo(expected.get("finish_reason"));
                assertThat(actual.at("/logprobs/tokens")).isEqualTo(expected.at("/logprobs/tokens"));
            }
        }
        assertThat(together.at("/usage/prompt_tokens").asInt()).isEqualTo(promptTokens);
    }

    @Test
    void stream_batch_givesTheSameAsTheWholeAnswer() {
        ObjectNode body = body(JSON.createArrayNode().add("User: Hi").add("A red square"))
                .put("echo", true)
                .put("logprobs", 2)
                .put("n", 2)
                .put("temperature", 1)
                .put("seed", 9);
        JsonNode whole = ok(body);

        String stream = post(PATH, body.put("stream", true).toString()).body();

        List<JsonNode> chunks = stream.lines()
                .filter(line -> line.startsWith("data: {"))
                .map(line -> parse(line.substring(6)).at("/choices/0"))
                .toList();
        assertThat(stream).endsWith("data: [DONE]\n\n");
        for (int i = 0; i < 4; i++) {
            int index = i;
            List<JsonNode> own = chunks.stream()
                    .filter(chunk -> chunk.get("index").asInt() == index)
                    .toList();
            JsonNode expected = whole.get("choices").get(i);
            assertThat(own.stream().map(chunk -> chunk.get("text").asText()).collect(Collectors.joining()))
                    .isEqualTo(expected.get("text").asText());
            List<String> tokens = own.stream()
                    .flatMap(chunk -> IntStream.range(
                                    0, chunk.at("/logprobs/tokens").size())
                            .mapToObj(t -> chunk.at("/logprobs/tokens/" + t).asText()))
                    .toList();
            assertThat(tokens)
                    .isEqualTo(IntStream.range(
                                    0, expected.at("/logprobs/tokens").size())
                            .mapToObj(t -> expected.at("/logprobs/tokens/" + t).asText())
                            .toList());
            assertThat(own.stream().map(chunk -> chunk.get("finish_reason")).filter(reason -> !reason.isNull()))
                    .containsExactly(expected.get("finish_reason"));
            assertThat(own.get(own.size() - 1).get("finish_reason").isNull()).isFalse();
        }
    }

    @Test
    void complete_bestOf_givesTheLikeliest() {
        ObjectNode body = body(JSON.createArrayNode().add("User: What is it?<end_of_utterance>\nAssistant:"))
                .put("n", 8)
                .put("temperature", 1.5)
                .put("seed", 11)
                .put("logprobs", 0);
        JsonNode all = ok(body);
        List<JsonNode> ranked = IntStream.range(0, 8)
                .mapToObj(all.get("choices")::get)
                .sorted(Comparator.comparingDouble(choice -> -mean(choice)))
                .toList();

        JsonNode best = ok(body.put("n", 2).put("best_of", 8));

        assertThat(best.get("choices").size()).isEqualTo(2);
        for (int i = 0; i < 2; i++) {
            assertThat(mean(best.get("choices").get(i))).isCloseTo(mean(ranked.get(i)), within(1e-4));
        }
        assertThat(best.at("/choices/0/text")).isEqualTo(ranked.get(0).get("text"));
        assertThat(best.at("/usage/completion_tokens")).isEqualTo(all.at("/usage/completion_tokens"));
    }

    private static double mean(JsonNode choice) {
        JsonNode logprobs = choice.at("/logprobs/token_logprobs");
        return IntStream.range(0, logprobs.size())
                .mapToDouble(i -> logprobs.get(i).asDouble())
                .average()
                .orElseThrow();
    }

    @Test
    void complete_noTokens_tellsThePromptAlone() {
        JsonNode answer = ok(body(JSON.createArrayNode().add("A red square"))
                .put("echo", true)
                .put("max_tokens", 0));

        assertThat(answer.at("/choices/0/text").asText()).isEqualTo("A red square");
        assertThat(answer.at("/choices/0/logprobs").isNull()).isTrue();
        assertThat(answer.at("/choices/0/finish_reason").asText()).isEqualTo("length");
        assertThat(answer.at("/usage/completion_tokens").asInt()).isZero();
    }

    @Test
    void complete_mostPromptsAndChoices_fitTheQueue() {
        ArrayNode prompts = JSON.createArrayNode();
        IntStream.range(0, 32).forEach(i -> prompts.add("Number " + i));

        JsonNode answer = ok(body(prompts).put("n", 8).put("max_tokens", 2).put("temperature", 1));

        assertThat(answer.get("choices").size()).isEqualTo(256);
        awaitIdle(SOON);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void complete_onePictureMissing_failsAllBeforeAnythingIsSent(boolean stream) {
        ArrayNode prompts = JSON.createArrayNode().add("A red square");
        prompts.addArray().add("User:").add(IMAGE_HOST.url("missing"));

        HttpResponse<String> response =
                post(PATH, body(prompts).put("stream", stream).toString());

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(json(response).at("/error/code").asText()).isEqualTo("invalid_image_url");
        assertThat(json(response).at("/error/param").asText()).isEqualTo("prompt[1][1]");
        awaitIdle(SOON);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void complete_onePromptTooLong_failsAllBeforeAnythingIsSent(boolean stream) {
        ArrayNode prompts = JSON.createArrayNode().add("A red square").add("red ".repeat(3000));

        HttpResponse<String> response =
                post(PATH, body(prompts).put("stream", stream).toString());

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(json(response).at("/error/code").asText()).isEqualTo("context_length_exceeded");
        assertThat(json(response).at("/error/param").asText()).isEqualTo("prompt[1]");
        awaitIdle(SOON);
    }

    @Test
    void complete_unknownId_isBadRequest() {
        ArrayNode prompts = JSON.createArrayNode().add("a");
        prompts.addArray().add(1).add(999_999);

        HttpResponse<String> response = post(PATH, body(prompts).toString());

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(json(response).at("/error/param").asText()).isEqualTo("prompt[1]");
    }

    @Test
    void complete_imageTokenInAText_isBadRequest() {
        HttpResponse<String> response =
                post(PATH, body(JSON.createArrayNode().add("What is <image>?")).toString());

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(json(response).at("/error/param").asText()).isEqualTo("prompt[0]");
    }

    @Test
    void complete_stopStringIncluded_endsTheText() {
        ObjectNode body = body(JSON.createArrayNode().add("User: Hi<end_of_utterance>\nAssistant:"));
        String whole = ok(body.put("max_tokens", 40)).at("/choices/0/text").asText();
        String stop = whole.substring(3, 5);

        String without = ok(body.put("stop", stop)).at("/choices/0/text").asText();
        String with = ok(body.put("include_stop_str_in_output", true))
                .at("/choices/0/text")
                .asText();

        assertThat(without).isEqualTo(whole.substring(0, whole.indexOf(stop)));
        assertThat(with).isEqualTo(without + stop);
    }

    private JsonNode ok(ObjectNode body) {
        HttpResponse<String> response = post(PATH, body.toString());
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return json(response);
    }

    private static ObjectNode body(ArrayNode prompts) {
        ObjectNode body = JSON.createObjectNode();
        body.set("prompt", prompts);
        return body;
    }

    private static JsonNode parse(String text) {
        try {
            return JSON.readTree(text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
