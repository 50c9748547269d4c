package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.testing.MiniEvaluation;
import io.idefics.testing.MiniEvaluation.Question;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;

/** Choosing among answers with the embedded model. */
class ClassificationIT extends RunningServer {

    private static final List<String> COLOURS =
            List.of("red", "green", "blue", "yellow", "orange", "purple", "pink", "brown", "black", "gray", "white");

    private static final List<String> SHAPES = List.of(
            "circle",
            "square",
            "triangle",
            "star",
            "heart",
            "hexagon",
            "ring",
            "cross",
            "house",
            "car",
            "fish",
            "dog",
            "cat",
            "tree",
            "sun",
            "smiley",
            "arrow",
            "diamond",
            "donut");

    private static final String QUESTION = "What colour is the shape?";
    private static final List<String> ANSWERS = List.of("The shape is black.", "The shape is red.", "No.");

    @Test
    void classify_coloursOfThings_isRightAsOftenAsGeneration() {
        assertRightAsOftenAsGeneration("colour", COLOURS);
    }

    @Test
    void classify_shapesOfThings_isRightAsOftenAsGeneration() {
        assertRightAsOftenAsGeneration("shape", SHAPES);
    }

    /** The answer that is generated, with each of some words in the place of the one that it has. */
    private void assertRightAsOftenAsGeneration(String category, List<String> words) {
        Pattern word = Pattern.compile("\\b(" + String.join("|", words) + ")\\b");
        int asked = 0;
        int generatedRight = 0;
        int chosenRight = 0;
        for (Question question : MiniEvaluation.questions()) {
            if (!question.category().equals(category)
                    || question.expectedFacts().size() != 1
                    || !words.contains(question.expectedFacts().get(0))) {
                continue;
            }
            String generated = text(post(request(question.openAiMessages()).toString()));
            List<MatchResult> found = word.matcher(generated).results().toList();
            int place = found.size() - 1; // the thing asked for comes first, as in "the black dog"
            if (found.isEmpty()) {
                continue;
            }
            String before = generated.substring(0, found.get(place).start());
            String after = generated.substring(found.get(place).end());
            List<String> choices =
                    words.stream().map(other -> before + other + after).toList();
            JsonNode classification = classify(question.openAiMessages(), choices);
            String chosen = choices.get(classification.get("best").asInt());
            asked++;
            generatedRight += question.isAnsweredBy(generated) ? 1 : 0;
            chosenRight += question.isAnsweredBy(chosen) ? 1 : 0;
        }
        assertThat(asked).isGreaterThanOrEqualTo(5);
        assertThat(generatedRight).isPositive();
        assertThat(chosenRight).isGreaterThanOrEqualTo(generatedRight);
    }

    @Test
    void classify_answers_areScoredAsTheirTextsAreInACompletion() {
        String url = MiniEvaluation.dataUrl(MiniEvaluation.image("images/003.png"));
        JsonNode classification = classify(userMessage(QUESTION, url), ANSWERS);

        double sum = 0;
        for (int i = 0; i < ANSWERS.size(); i++) {
            JsonNode choice = classification.get("choices").get(i);
            JsonNode told = scored(url, ANSWERS.get(i));
            int all = told.get("tokens").size();
            int own = choice.get("tokens").asInt();
            assertThat(choice.get("text").asText()).isEqualTo(ANSWERS.get(i));
            assertThat(told.get("tokens").get(all - own - 1).asText()).isEqualTo(":");
            assertThat(told.get("tokens").get(all - 1).asText()).isEqualTo("<end_of_utterance>");
            double expected = IntStream.range(all - own, all)
                    .mapToDouble(t -> told.get("token_logprobs").get(t).asDouble())
                    .sum();
            assertThat(choice.get("logprob").asDouble()).isCloseTo(expected, within(1e-4));
            sum += choice.get("probability").asDouble();
        }
        assertThat(sum).isCloseTo(1, within(1e-9));
        assertThat(classification.get("best").asInt()).isZero();
    }

    /** The same conversation as a raw prompt that ends with the answer. */
    private JsonNode scored(String url, String answer) {
        ObjectNode body =
                JSON.createObjectNode().put("echo", true).put("logprobs", 0).put("max_tokens", 0);
        body.putArray("prompt")
                .addArray()
                .add("User:")
                .add(url)
                .add(QUESTION + "<end_of_utterance>\nAssistant: " + answer + "<end_of_utterance>");
        return ok(post("/v1/completions", body.toString())).at("/choices/0/logprobs");
    }

    @Test
    void classify_thingsOfAPicture_findsTheOneThatIsThere() {
        String url = MiniEvaluation.dataUrl(MiniEvaluation.image("images/133.jpg"));

        JsonNode classification = classify(
                userMessage("What is on the far left?", url),
                List.of(
                        "A brown dog is on the left.",
                        "A yellow sun is on the left.",
                        "A pink smiley is on the left."));

        assertThat(classification.get("best").asInt()).isEqualTo(1);
        assertThat(classification.at("/choices/1/probability").asDouble()).isGreaterThan(0.5);
    }

    @Test
    void classify_hundredChoices_neitherFillTheQueueNorStay() {
        List<String> choices =
                IntStream.range(0, 100).mapToObj(i -> "Number " + i + ".").toList();

        JsonNode classification = classify(userMessage("Which number?"), choices);

        assertThat(classification.get("choices").size()).isEqualTo(100);
        double sum = StreamSupport.stream(classification.get("choices").spliterator(), false)
                .mapToDouble(choice -> choice.get("probability").asDouble())
                .sum();
        assertThat(sum).isCloseTo(1, within(1e-9));
        awaitIdle(Duration.ofSeconds(10));
    }

    @Test
    void classify_sameTwice_findsTheConversationInTheCache() {
        String url = MiniEvaluation.dataUrl(MiniEvaluation.image("images/015.png"));
        ArrayNode messages = userMessage("Which colour, of all the colours that there are, has the car here?", url);

        JsonNode first = classify(messages, ANSWERS);
        JsonNode second = classify(messages, ANSWERS);

        assertThat(second.at("/usage/prompt_tokens_details/cached_tokens").asInt())
                .isGreaterThanOrEqualTo(16);
        assertThat(second.at("/usage/prompt_tokens").asInt())
                .isEqualTo(first.at("/usage/prompt_tokens").asInt());
        assertThat(second.at("/usage/prompt_tokens_details/image_tokens").asInt())
                .isEqualTo(3);
        for (int i = 0; i < ANSWERS.size(); i++) {
            assertThat(second.at("/choices/" + i + "/logprob").asDouble())
                    .isCloseTo(first.at("/choices/" + i + "/logprob").asDouble(), within(1e-4));
        }
    }

    @Test
    void classify_lastMessageOfTheAssistant_isBadRequest() {
        ArrayNode messages = userMessage("Hi");
        messages.addObject().put("role", "assistant").put("content", "Hello.");

        HttpResponse<String> response = post("/v1/classify", body(messages, ANSWERS));

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(json(response).at("/error/param").asText()).isEqualTo("messages[1].role");
    }

    private JsonNode classify(ArrayNode messages, List<String> choices) {
        return ok(post("/v1/classify", body(messages, choices)));
    }

    private static String body(ArrayNode messages, List<String> choices) {
        ObjectNode body = request(messages);
        ArrayNode array = body.putArray("choices");
        choices.forEach(array::add);
        return body.toString();
    }

    private static JsonNode ok(HttpResponse<String> response) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return json(response);
    }
}
