package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.testing.MiniEvaluation;
import io.idefics.testing.MiniEvaluation.Reference;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.StreamSupport;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The endpoints of text-generation-inference, answered by the embedded model. */
class TgiIT extends RunningServer {

    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    @Test
    void generate_referenceQuestions_areAnsweredAsTheReferenceDoes() {
        SoftAssertions softly = new SoftAssertions();
        for (Reference reference : MiniEvaluation.references()) {
            JsonNode answer = answer("/generate", greedy(inputs(reference), true));
            softly.assertThat(ids(answer.at("/details/prefill")))
                    .as("prompt %s", reference.id())
                    .isEqualTo(reference.promptIds());
            softly.assertThat(ids(answer.at("/details/tokens")))
                    .as("answer %s", reference.id())
                    .isEqualTo(reference.float32Ids());
            softly.assertThat(answer.get("generated_text").textValue().strip()).isEqualTo(reference.float32Text());
        }
        softly.assertAll();
    }

    @Test
    void generate_details_tellEveryToken() {
        Reference reference = MiniEvaluation.references().get(0);

        JsonNode answer = answer("/generate", greedy(inputs(reference), true));

        JsonNode details = answer.get("details");
        JsonNode tokens = details.get("tokens");
        assertThat(details.get("finish_reason").textValue()).isEqualTo("eos_token");
        assertThat(details.get("generated_tokens").intValue()).isEqualTo(tokens.size());
        assertThat(details.get("seed").isNull()).isTrue();
        assertThat(text(tokens)).isEqualTo(answer.get("generated_text").textValue());
        JsonNode last = tokens.get(tokens.size() - 1);
        assertThat(last.get("special").booleanValue()).isTrue();
        assertThat(last.get("text").textValue()).isEqualTo("<end_of_utterance>");
        assertThat(tokens).allSatisfy(token -> assertThat(token.get("logprob").doubleValue())
                .isLessThanOrEqualTo(0)
                .isGreaterThan(-10));
        JsonNode prefill = details.get("prefill");
        assertThat(prefill.get(0).get("text").textValue()).isEqualTo("<s>");
        assertThat(prefill.get(0).get("logprob").isNull()).isTrue();
        assertThat(prefill.get(1).get("logprob").isNumber()).isTrue();
    }

    @Test
    void generateStream_picture_isTheWholeAnswerInTokens() throws Exception {
        ObjectNode body = greedy(inputs(MiniEvaluation.references().get(0)), false);
        ((ObjectNode) body.get("parameters")).put("details", true).put("top_n_tokens", 2);
        JsonNode whole = answer("/generate", body);

        List<JsonNode> events = events(post("/generate_stream", body));

        List<JsonNode> tokens = events.stream().map(event -> event.get("token")).toList();
        assertThat(told(tokens)).isEqualTo(told(whole.at("/details/tokens")));
        assertThat(events.stream().map(event -> told(event.get("top_tokens"))).toList())
                .isEqualTo(elements(whole.at("/details/top_tokens")).stream()
                        .map(TgiIT::told)
                        .toList());
        assertThat(events).extracting(event -> event.get("index").intValue()).startsWith(1, 2, 3);
        JsonNode last = events.remove(events.size() - 1);
        assertThat(last.get("generated_text")).isEqualTo(whole.get("generated_text"));
        assertThat(last.at("/details/finish_reason").textValue()).isEqualTo("eos_token");
        assertThat(last.at("/details/input_length").intValue())
                .isEqualTo(MiniEvaluation.references().get(0).promptIds().size());
        assertThat(events)
                .isNotEmpty()
                .allMatch(event -> event.get("generated_text").isNull()
                        && event.get("details").isNull());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void generateStream_limit_endsWithItsLastToken(int limit) throws Exception {
        ObjectNode body = greedy(inputs(MiniEvaluation.references().get(0)), false);
        ((ObjectNode) body.get("parameters")).put("details", true).put("max_new_tokens", limit);

        List<JsonNode> events = events(post("/generate_stream", body));

        assertThat(events).hasSize(limit);
        JsonNode last = events.get(limit - 1);
        assertThat(last.at("/details/finish_reason").textValue()).isEqualTo("length");
        assertThat(last.get("generated_text").textValue())
                .isEqualTo(text(events.stream().map(event -> event.get("token")).toList()));
    }

    @ParameterizedTest
    @CsvSource({"' is',' The ring is'", "'g i',' The ring i'", "<end_of_utterance>,' The ring is purple.'"})
    void generate_stop_isPartOfTheTextUnlessItIsAToken(String stop, String text) throws Exception {
        ObjectNode body = greedy(inputs(MiniEvaluation.references().get(0)), false);
        ((ObjectNode) body.get("parameters"))
                .put("details", true)
                .putArray("stop")
                .add(stop);

        JsonNode answer = answer("/generate", body);
        List<JsonNode> events = events(post("/generate_stream", body));

        assertThat(answer.get("generated_text").textValue()).isEqualTo(text);
        assertThat(answer.at("/details/finish_reason").textValue()).isEqualTo("stop_sequence");
        assertThat(text(answer.at("/details/tokens"))).isEqualTo(text);
        JsonNode last = events.get(events.size() - 1);
        assertThat(last.get("generated_text").textValue()).isEqualTo(text);
        assertThat(last.at("/details/finish_reason").textValue()).isEqualTo("stop_sequence");
        assertThat(told(events.stream().map(event -> event.get("token")).toList()))
                .isEqualTo(told(answer.at("/details/tokens")));
    }

    @Test
    void generate_pictureByUrl_isFetched() {
        Reference reference = MiniEvaluation.references().get(0);
        String url = IMAGE_HOST.url("images/001.png?size=(64)");

        JsonNode answer = answer("/generate", greedy(inputs(reference).replaceFirst("data:[^)]*", url), false));

        assertThat(answer.get("generated_text").textValue().strip()).isEqualTo(reference.float32Text());
    }

    @Test
    void generate_seedThatWasTold_givesTheSameAnswer() {
        ObjectNode body = greedy("User: Tell me something.<end_of_utterance>\nAssistant:", false);
        ObjectNode parameters = (ObjectNode) body.get("parameters");
        parameters.put("details", true).put("do_sample", true).put("temperature", 3);

        JsonNode drawn = answer("/generate", body);
        parameters.put("seed", drawn.at("/details/seed").longValue());

        JsonNode again = answer("/generate", body);
        assertThat(again.get("generated_text")).isEqualTo(drawn.get("generated_text"));
        assertThat(told(again.at("/details/tokens"))).isEqualTo(told(drawn.at("/details/tokens")));
    }

    @Test
    void generate_bestOf_givesTheLikeliestFirst() {
        ObjectNode body = greedy("User: Tell me something.<end_of_utterance>\nAssistant:", false);
        ObjectNode parameters = (ObjectNode) body.get("parameters");
        parameters.put("details", true).put("temperature", 2.5).put("best_of", 4);

        JsonNode best = answer("/generate", body).get("details");

        assertThat(best.get("best_of_sequences")).hasSize(3);
        double likeliest = meanLogprob(best);
        assertThat(best.get("best_of_sequences"))
                .allSatisfy(other -> assertThat(meanLogprob(other)).isLessThanOrEqualTo(likeliest));
        JsonNode other = best.at("/best_of_sequences/2");
        parameters.remove("best_of");
        parameters.put("seed", other.get("seed").longValue());
        assertThat(told(answer("/generate", body).at("/details/tokens"))).isEqualTo(told(other.get("tokens")));
    }

    @Test
    void generate_truncate_keepsTheEnd() {
        Reference reference = MiniEvaluation.references().get(0);
        ObjectNode body = greedy(inputs(reference), true);
        ((ObjectNode) body.get("parameters")).put("truncate", 4);

        JsonNode answer = answer("/generate", body);

        int size = reference.promptIds().size();
        assertThat(ids(answer.at("/details/prefill")))
                .isEqualTo(reference.promptIds().subList(size - 4, size));
    }

    @Test
    void generate_unreachablePicture_isAMistake() throws Exception {
        HttpResponse<String> response = post("/generate", greedy("![](" + IMAGE_HOST.closedUrl() + ")?", false));

        assertThat(response.statusCode()).isEqualTo(422);
        assertThat(json(response).get("error_type").textValue()).isEqualTo("validation");
    }

    @Test
    void chatTokenize_conversation_isTheReferencePrompt() {
        Reference reference = MiniEvaluation.references().get(0);

        JsonNode answer = answer(
                "/chat_tokenize",
                request(MiniEvaluation.question(reference.id()).openAiMessages()));

        JsonNode tokens = answer.get("tokenize_response");
        String templated = answer.get("templated_text").textValue();
        assertThat(ids(tokens)).isEqualTo(reference.promptIds());
        assertThat(templated).contains("<image>", "The ring is what colour?").endsWith("Assistant:");
        assertThat(tokens).allSatisfy(token -> {
            String text = token.get("text").textValue();
            int start = token.get("start").intValue();
            // The tokenizer puts a space after a special token, which is in no text.
            assertThat(templated.substring(start, token.get("stop").intValue()))
                    .isIn(text, text.equals(" ") ? "" : text);
        });
    }

    @Test
    void generate_grammar_isTheFormOfTheAnswer() throws Exception {
        ObjectNode body = greedy(inputs(MiniEvaluation.references().get(0)), false);
        ObjectNode parameters = (ObjectNode) body.get("parameters");
        parameters.putObject("grammar").put("type", "regex").put("value", "(blue|purple) (ring|square)");

        assertThat(answer("/generate", body).get("generated_text").textValue()).isEqualTo("purple ring");
        parameters.putObject("grammar").put("type", "regex").put("value", "(purple");
        assertThat(post("/generate", body).statusCode()).isEqualTo(422);
    }

    @Test
    void tokenize_picture_isWhatIsRun() throws Exception {
        Reference reference = MiniEvaluation.references().get(0);
        String inputs = inputs(reference);

        HttpResponse<String> response =
                post("/tokenize", JSON.createObjectNode().put("inputs", inputs));

        JsonNode tokens = json(response);
        assertThat(tokens.isArray()).isTrue();
        assertThat(ids(tokens)).isEqualTo(reference.promptIds());
        StringBuilder told = new StringBuilder();
        for (JsonNode token : tokens) {
            int start = token.get("start").intValue();
            int stop = token.get("stop").intValue();
            told.append(inputs, start, stop);
            if (start < stop) {
                assertThat(token.get("text").textValue()).isEqualTo(inputs.substring(start, stop));
            }
        }
        assertThat(told).hasToString(inputs);
    }

    @Test
    void info_embeddedModel_isTold() throws Exception {
        HttpResponse<String> response = get("/info");

        JsonNode info = json(response);
        assertThat(info.get("model_id").textValue()).isEqualTo(modelId());
        assertThat(info.get("model_pipeline_tag").textValue()).isEqualTo("image-text-to-text");
        assertThat(get("/health").statusCode()).isEqualTo(200);
        assertThat(get("/").statusCode()).isEqualTo(200);
    }

    /** A prompt with its pictures, as it would be written by hand. */
    private static String inputs(Reference reference) {
        JsonNode messages = MiniEvaluation.question(reference.id()).messages();
        StringBuilder prompt = new StringBuilder();
        for (JsonNode message : messages) {
            boolean user = message.get("role").textValue().equals("user");
            prompt.append(prompt.isEmpty() ? "" : "\n").append(user ? "User:" : "Assistant:");
            boolean afterPicture = false;
            for (JsonNode part : message.get("content")) {
                boolean picture = MiniEvaluation.isImage(part);
                prompt.append(
                        picture
                                ? "![](" + MiniEvaluation.dataUrl(MiniEvaluation.file(part)) + ")"
                                : (afterPicture ? "" : " ") + part.get("text").textValue());
                afterPicture = picture;
            }
            prompt.append("<end_of_utterance>");
        }
        return prompt + "\nAssistant:";
    }

    private static ObjectNode greedy(String inputs, boolean prefill) {
        ObjectNode body = JSON.createObjectNode().put("inputs", inputs);
        body.putObject("parameters").put("max_new_tokens", 40).put("decoder_input_details", prefill);
        return body;
    }

    private JsonNode answer(String path, ObjectNode body) {
        try {
            HttpResponse<String> response = post(path, body);
            assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
            return json(response);
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private HttpResponse<String> post(String path, ObjectNode body) throws IOException, InterruptedException {
        return CLIENT.send(
                HttpRequest.newBuilder(URI.create("http://localhost:" + port + path))
                        .header("Content-Type", "application/json")
                        .timeout(PATIENCE)
                        .POST(BodyPublishers.ofString(body.toString()))
                        .build(),
                BodyHandlers.ofString());
    }

    private HttpResponse<String> get(String path) throws IOException, InterruptedException {
        return CLIENT.send(
                HttpRequest.newBuilder(URI.create("http://localhost:" + port + path))
                        .timeout(PATIENCE)
                        .build(),
                BodyHandlers.ofString());
    }

    private static List<JsonNode> events(HttpResponse<String> response) throws IOException {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        List<JsonNode> events = new ArrayList<>();
        for (String event : response.body().split("\n\n")) {
            assertThat(event).startsWith("data: ");
            events.add(JSON.readTree(event.substring(6)));
        }
        return events;
    }

    private static List<Integer> ids(JsonNode tokens) {
        return elements(tokens).stream()
                .map(token -> token.get("id").intValue())
                .toList();
    }

    private static double meanLogprob(JsonNode sequence) {
        return elements(sequence.get("tokens")).stream()
                .mapToDouble(token -> token.get("logprob").doubleValue())
                .average()
                .orElseThrow();
    }

    /** The texts of all tokens that are not special. */
    private static String text(Iterable<JsonNode> tokens) {
        StringBuilder text = new StringBuilder();
        for (JsonNode token : tokens) {
            text.append(
                    token.get("special").booleanValue() ? "" : token.get("text").textValue());
        }
        return text.toString();
    }

    /** Tokens without how likely they were, which differs in the last digits from batch to batch. */
    private static List<JsonNode> told(Iterable<JsonNode> tokens) {
        List<JsonNode> told = new ArrayList<>();
        tokens.forEach(token -> told.add(((ObjectNode) token.deepCopy()).without("logprob")));
        return told;
    }

    private static List<JsonNode> elements(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false).toList();
    }
}
