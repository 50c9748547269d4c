package io.idefics.web.openai;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.ContentPart.Text;
import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.PromptRead;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.Prompt;
import io.idefics.generation.TokenLogprob;
import io.idefics.generation.TokenLogprob.Candidate;
import io.idefics.generation.Usage;
import io.idefics.web.WebServerTest;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.http.HttpMethod;
import org.springframework.http.MediaType;
import org.springframework.test.web.reactive.server.WebTestClient;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

/** Text completions as they are on the wire. */
class TextCompletionsIT extends WebServerTest {

    private static final String TEXT = "/v1/completions";

    @Test
    void complete_text_hasOpenAisForm() {
        String body = text(complete("{\"prompt\":\"A\"}")
                .expectHeader()
                .contentType("application/json")
                .expectHeader()
                .valueMatches("openai-processing-ms", "[0-9]+"));

        assertThat(anonymous(body))
                .isEqualTo(
                        "{\"id\":\"ID\",\"object\":\"text_completion\",\"created\":0,\"model\":\"org/mini-model\",\"system_fingerprint\":\"FP\","
                                + "\"choices\":[{\"index\":0,\"text\":\"A red square 🟥\\n.\",\"logprobs\":null,"
                                + "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4,"
                                + "\"total_tokens\":13,\"prompt_tokens_details\":{\"cached_tokens\":0,\"image_tokens\":0}}}");
        assertThat(service.lastRequest().client().name()).isNotEmpty();
    }

    @Test
    void complete_echoWithLogprobs_tellsPromptTextAndEndOfEachChoice() {
        service.script(TextCompletionsIT::scored);

        String body = text(complete("{\"prompt\":\"Hi\",\"n\":2,\"echo\":true,\"logprobs\":1}"));

        assertThat(json(body).get("choices").toString())
                .isEqualTo(
                        "[{\"index\":0,\"text\":\"Hi you\",\"logprobs\":{\"tokens\":[\"<s>\",\"Hi\",\" you\",\"</s>\"],"
                                + "\"token_logprobs\":[null,-0.5,-0.25,-1.0],"
                                + "\"top_logprobs\":[null,{\"Hi\":-0.5},{\" you\":-0.25},{\"</s>\":-1.0}],"
                                + "\"text_offset\":[0,0,2,6]},\"finish_reason\":\"stop\"},"
                                + "{\"index\":1,\"text\":\"Hi\",\"logprobs\":{\"tokens\":[\"<s>\",\"Hi\"],"
                                + "\"token_logprobs\":[null,-0.5],\"top_logprobs\":[null,{\"Hi\":-0.5}],\"text_offset\":[0,0]},"
                                + "\"finish_reason\":\"length\"}]");
    }

    @Test
    void stream_echoWithLogprobs_matchesTranscript() {
        service.script(TextCompletionsIT::scored);

        String body = text(complete("{\"prompt\":\"Hi\",\"n\":2,\"echo\":true,\"logprobs\":1,\"stream\":true,"
                + "\"stream_options\":{\"include_usage\":true}}"));

        String prompt = "\"text\":\"Hi\",\"logprobs\":{\"tokens\":[\"<s>\",\"Hi\"],\"token_logprobs\":[null,-0.5],"
                + "\"top_logprobs\":[null,{\"Hi\":-0.5}],\"text_offset\":[0,0]},\"finish_reason\":null}";
        assertThat(anonymous(body))
                .isEqualTo(Stream.of(
                                "[{\"index\":0," + prompt + "],\"usage\":null",
                                "[{\"index\":1," + prompt + "],\"usage\":null",
                                "[{\"index\":0,\"text\":\" you\",\"logprobs\":{\"tokens\":[\" you\"],\"token_logprobs\":"
                                        + "[-0.25],\"top_logprobs\":[{\" you\":-0.25}],\"text_offset\":[2]},"
                                        + "\"finish_reason\":null}],\"usage\":null",
                                "[{\"index\":1,\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"length\"}],\"usage\":null",
                                "[{\"index\":0,\"text\":\"\",\"logprobs\":{\"tokens\":[\"</s>\"],\"token_logprobs\":[-1.0],"
                                        + "\"top_logprobs\":[{\"</s>\":-1.0}],\"text_offset\":[6]},"
                                        + "\"finish_reason\":\"stop\"}],\"usage\":null",
                                "[],\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":3,\"total_tokens\":5,"
                                        + "\"prompt_tokens_details\":{\"cached_tokens\":1,\"image_tokens\":0}}")
                        .map(choices -> "data: {\"id\":\"ID\",\"object\":\"text_completion\",\"created\":0,"
                                + "\"model\":\"org/mini-model\",\"system_fingerprint\":\"FP\",\"choices\":" + choices
                                + "}\n\n")
                        .collect(Collectors.joining("", "", "data: [DONE]\n\n")));
    }

    @Test
    void stream_withoutUsage_hasNoFieldOfIt() {
        String body = text(complete("{\"prompt\":\"A\",\"stream\":true}"));

        assertThat(body).endsWith("data: [DONE]\n\n").doesNotContain("usage");
    }

    /** A prompt with log-probabilities and two choices in a mixture. */
    private static Flux<GenerationEvent> scored(GenerationRequest request) {
        TokenLogprob bos = new TokenLogprob(new Candidate(1, "<s>", null, Double.NaN), List.of(), 0);
        return Flux.just(
                new PromptRead("Hi", List.of(bos, told(6, "Hi", -0.5, 0))),
                new TextDelta(0, " you", List.of(told(7, " you", -0.25, 2))),
                new ChoiceEnded(1, FinishReason.LENGTH),
                new ChoiceEnded(0, FinishReason.END_TOKEN, null, 2, told(2, "</s>", -1, 6)),
                new Completed(new Usage(2, 1, 0, 3)));
    }

    private static TokenLogprob told(int id, String text, double logprob, int offset) {
        Candidate candidate = new Candidate(id, text, null, logprob);
        return new TokenLogprob(candidate, List.of(candidate), offset);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void complete_batch_numbersChoicesByPromptAndSumsUsage(boolean stream) {
        service.script(TextCompletionsIT::repeat);

        String body = text(complete("{\"prompt\":[\"a\",\"b\",\"c\"],\"n\":2,\"stream\":" + stream
                + ",\"stream_options\":{\"include_usage\":true}}"));

        List<JsonNode> objects = stream ? events(body) : List.of(json(body));
        List<String> texts = IntStream.range(0, 6)
                .mapToObj(index -> objects.stream()
                        .flatMap(object -> choices(object).stream())
                        .filter(choice -> choice.get("index").asInt() == index)
                        .map(choice -> choice.get("text").asText())
                        .collect(Collectors.joining()))
                .toList();
        assertThat(texts).containsExactly("a0", "a1", "b0", "b1", "c0", "c1");
        JsonNode usage = objects.get(objects.size() - 1).get("usage");
        assertThat(usage.toString())
                .isEqualTo("{\"prompt_tokens\":12,\"completion_tokens\":15,\"total_tokens\":27,"
                        + "\"prompt_tokens_details\":{\"cached_tokens\":6,\"image_tokens\":9}}");
    }

    @Test
    void complete_promptsEndInAnyOrder_answersInOrder() {
        Sinks.Empty<Void> last = Sinks.empty();
        service.script(request -> switch (name(request)) {
            case "a" -> repeat(request).delaySubscription(last.asMono());
            case "c" -> repeat(request).doOnTerminate(last::tryEmitEmpty);
            default -> repeat(request);
        });

        String body = text(complete("{\"prompt\":[\"a\",\"b\",\"c\"]}"));

        assertThat(choices(json(body)))
                .extracting(choice -> choice.get("text").asText())
                .containsExactly("a0", "b0", "c0");
    }

    /** The text of the prompt and the number of the choice. */
    private static Flux<GenerationEvent> repeat(GenerationRequest request) {
        return Flux.range(0, request.output().choices())
                .concatMap(choice -> Flux.<GenerationEvent>just(
                        new TextDelta(choice, name(request)),
                        new TextDelta(choice, String.valueOf(choice)),
                        new ChoiceEnded(choice, FinishReason.END_TOKEN)))
                .concatWithValues(new Completed(new Usage(4, 2, 3, 5)));
    }

    private static String name(GenerationRequest request) {
        return ((Text) ((Prompt.Interleaved) request.prompt()).parts().get(0)).text();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4, 8})
    void complete_manyPrompts_runAFewAtATime(int bestOf) {
        AtomicInteger running = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        service.script(request -> Mono.<GenerationEvent>fromRunnable(
                        () -> most.accumulateAndGet(running.incrementAndGet(), Math::max))
                .thenMany(repeat(request).delaySequence(Duration.ofMillis(5)))
                .doOnTerminate(running::decrementAndGet));
        String prompts = IntStream.range(0, 32).mapToObj(i -> "\"" + i + "\"").collect(Collectors.joining(","));

        String body = text(complete("{\"prompt\":[" + prompts + "],\"best_of\":" + bestOf + "}"));

        assertThat(choices(json(body))).hasSize(32);
        assertThat(most.get()).isEqualTo(8 / bestOf);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void complete_onePromptFails_failsTheRequestBeforeAnythingIsSent(boolean stream) {
        service.script(request -> name(request).equals("b")
                ? Flux.error(new GenerationException(ErrorType.CONTEXT_LENGTH_EXCEEDED, "too long", "prompt[1]"))
                : Flux.never());

        byte[] body = complete("{\"prompt\":[\"a\",\"b\"],\"stream\":" + stream + "}")
                .expectStatus()
                .isBadRequest()
                .expectBody()
                .returnResult()
                .getResponseBody();

        assertThat(error(body).get("param").asText()).isEqualTo("prompt[1]");
        await().atMost(PATIENCE).until(() -> service.active() == 0);
    }

    @Test
    void stream_failureAfterText_comesAfterAllTextBeforeIt() {
        service.script(request -> Flux.concat(
                Flux.range(0, 100).map(i -> new TextDelta(0, i + ";")),
                Flux.error(new GenerationException(ErrorType.OVERLOADED, "no room", null))));

        String body = text(complete("{\"prompt\":\"a\",\"stream\":true}"));

        assertThat(body)
                .contains("\"text\":\"99;\"")
                .contains("event: error\ndata: {")
                .doesNotContain("[DONE]");
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void complete_answerWithoutEnd_isAFault(boolean stream) {
        service.script(request -> Flux.empty());

        complete("{\"prompt\":\"a\",\"stream\":" + stream + "}").expectStatus().isEqualTo(500);
    }

    @Test
    void complete_choiceWithoutEnd_isAFault() {
        service.script(request -> Flux.just(new TextDelta(0, "half"), new Completed(new Usage(1, 0, 0, 1))));

        complete("{\"prompt\":\"a\"}").expectStatus().isEqualTo(500);
    }

    @Test
    void complete_wrongField_namesIt() {
        byte[] body = complete("{\"prompt\":\"a\",\"best_of\":2,\"stream\":true}")
                .expectStatus()
                .isBadRequest()
                .expectBody()
                .returnResult()
                .getResponseBody();

        assertThat(error(body).get("param").asText()).isEqualTo("best_of");
        assertThat(error(body).get("code").asText()).isEqualTo("unsupported_parameter");
    }

    @Test
    void completions_otherMethod_isNotAllowed() {
        client.method(HttpMethod.GET)
                .uri(TEXT)
                .exchange()
                .expectStatus()
                .isEqualTo(405)
                .expectHeader()
                .valueEquals("allow", "POST");
    }

    private WebTestClient.ResponseSpec complete(String body) {
        return client.post()
                .uri(TEXT)
                .contentType(MediaType.APPLICATION_JSON)
                .bodyValue(body)
                .exchange();
    }

    private static String text(WebTestClient.ResponseSpec response) {
        byte[] body = response.expectStatus().isOk().expectBody().returnResult().getResponseBody();
        return new String(body, StandardCharsets.UTF_8);
    }

    private static String anonymous(String body) {
        return body.replaceAll("cmpl-[0-9a-f]{32}", "ID")
                .replaceAll("\"created\":[0-9]{10}", "\"created\":0")
                .replaceAll("fp_[0-9a-f]{10}", "FP");
    }

    private static List<JsonNode> events(String body) {
        return body.lines()
                .filter(line -> line.startsWith("data: {"))
                .map(line -> json(line.substring(6)))
                .toList();
    }

    private static List<JsonNode> choices(JsonNode completion) {
        return IntStream.range(0, completion.get("choices").size())
                .mapToObj(completion.get("choices")::get)
                .toList();
    }
}
