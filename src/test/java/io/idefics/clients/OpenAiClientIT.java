package io.idefics.clients;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.InternalServerException;
import com.openai.errors.NotFoundException;
import com.openai.errors.OpenAIServiceException;
import com.openai.helpers.ChatCompletionAccumulator;
import com.openai.models.FunctionDefinition;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletion.Choice.FinishReason;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionContentPart;
import com.openai.models.chat.completions.ChatCompletionContentPartImage;
import com.openai.models.chat.completions.ChatCompletionContentPartText;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.chat.completions.ChatCompletionTokenLogprob;
import com.openai.models.chat.completions.ChatCompletionToolChoiceOption;
import com.openai.models.completions.CompletionUsage;
import com.openai.models.models.Model;
import io.idefics.testing.MiniEvaluation;
import io.idefics.testing.MiniEvaluation.Question;
import io.idefics.testing.MiniEvaluation.Reference;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** OpenAI's own client finds what it expects. */
class OpenAiClientIT extends ClientOfRunningServer {

    private OpenAIClient client;

    @Override
    public Client connect(String url, int retries) {
        return new OpenAiClient(library(url, retries));
    }

    private static OpenAIClient library(String url, int retries) {
        return OpenAIOkHttpClient.builder()
                .baseUrl(url + "/v1")
                .apiKey("none")
                .maxRetries(retries)
                .timeout(PATIENCE)
                .build();
    }

    @BeforeEach
    void open() {
        client = library(server().url(), 0);
    }

    @AfterEach
    void close() {
        client.close();
    }

    @Test
    void create_text_isAnswered() {
        ChatCompletion answer = client.chat().completions().create(hello().build());

        assertThat(answer.isValid()).isTrue();
        assertThat(answer.id()).startsWith("chatcmpl-");
        assertThat(answer.model()).isEqualTo(modelId());
        assertThat(Instant.ofEpochSecond(answer.created()))
                .isBetween(Instant.now().minus(PATIENCE), Instant.now());
        assertThat(text(answer)).isNotBlank();
        assertThat(answer.choices()).hasSize(1);
        assertThat(answer.choices().get(0).finishReason()).isEqualTo(FinishReason.STOP);
        assertThat(answer.usage()).hasValueSatisfying(usage -> {
            assertThat(usage.promptTokens()).isPositive();
            assertThat(usage.completionTokens()).isPositive();
            assertThat(usage.totalTokens()).isEqualTo(usage.promptTokens() + usage.completionTokens());
        });
    }

    @Test
    void create_picture_isAnsweredAsTheReferenceDoes() {
        Reference reference = reference(question -> question.messages().size() == 1
                && question.messages().toString().contains("image"));

        ChatCompletion answer =
                client.chat().completions().create(params(reference).build());

        assertThat(text(answer)).isEqualTo(reference.float32Text());
        assertThat(answer.usage()).hasValueSatisfying(usage -> {
            assertThat(usage.promptTokens()).isEqualTo(reference.promptIds().size());
            assertThat(usage.completionTokens())
                    .isEqualTo(reference.float32Ids().size());
            assertThat(usage.promptTokensDetails().orElseThrow().imageTokens())
                    .hasValueSatisfying(tokens -> assertThat(tokens).isGreaterThanOrEqualTo(3));
        });
    }

    @Test
    void create_twoTurns_isAnsweredAsTheReferenceDoes() {
        Reference reference = reference(question -> question.messages().size() >= 3);

        ChatCompletion answer =
                client.chat().completions().create(params(reference).build());

        assertThat(text(answer)).isEqualTo(reference.float32Text());
    }

    @Test
    void createStreaming_picture_isTheWholeAnswerInPieces() {
        ChatCompletionCreateParams params = params(anyReference())
                .streamOptions(
                        ChatCompletionStreamOptions.builder().includeUsage(true).build())
                .build();
        ChatCompletion whole = client.chat().completions().create(params);

        List<ChatCompletionChunk> chunks = stream(params);

        ChatCompletionAccumulator accumulator = ChatCompletionAccumulator.create();
        chunks.forEach(accumulator::accumulate);
        ChatCompletion streamed = accumulator.chatCompletion();
        assertThat(chunks).allMatch(ChatCompletionChunk::isValid);
        assertThat(text(streamed)).isEqualTo(text(whole));
        assertThat(streamed.usage()).isPresent().isEqualTo(whole.usage());
        assertThat(streamed.model()).isEqualTo(whole.model());
        assertThat(streamed.choices().get(0).finishReason())
                .isEqualTo(whole.choices().get(0).finishReason());
        assertThat(pieces(chunks)).hasSizeGreaterThan(2);
        assertThat(chunks.get(chunks.size() - 1).choices()).isEmpty();
    }

    @Test
    void createStreaming_noUsageAskedFor_hasNone() {
        List<ChatCompletionChunk> chunks = stream(hello().build());

        assertThat(chunks).noneMatch(chunk -> chunk.usage().isPresent());
        assertThat(chunks).noneMatch(chunk -> chunk.choices().isEmpty());
        assertThat(String.join("", pieces(chunks)))
                .isEqualTo(text(client.chat().completions().create(hello().build())));
    }

    @Test
    void create_maxTokens_endsWithLength() {
        Reference reference = anyReference();

        ChatCompletion answer = client.chat()
                .completions()
                .create(params(reference).maxCompletionTokens(2).build());

        assertThat(answer.choices().get(0).finishReason()).isEqualTo(FinishReason.LENGTH);
        assertThat(answer.usage().orElseThrow().completionTokens()).isEqualTo(2);
        assertThat(reference.float32Text()).startsWith(text(answer)).isNotEqualTo(text(answer));
    }

    @Test
    void create_stopString_endsBeforeIt() {
        Reference reference = anyReference();
        String stop = reference.float32Text().split("(?= )")[2];
        String before =
                reference.float32Text().substring(0, reference.float32Text().indexOf(stop));

        ChatCompletion answer = client.chat()
                .completions()
                .create(params(reference)
                        .stopOfStrings(List.of("never said", stop))
                        .build());

        assertThat(text(answer)).isEqualTo(before).isNotEmpty();
        assertThat(answer.choices().get(0).finishReason()).isEqualTo(FinishReason.STOP);
        assertThat(String.join("", pieces(stream(params(reference).stop(stop).build()))))
                .isEqualTo(before);
    }

    @Test
    void create_temperatureAndSeed_isReproducible() {
        List<String> first = seeded();

        assertThat(seeded()).isEqualTo(first);
        assertThat(first.stream().distinct().count()).isGreaterThan(1);
    }

    @Test
    void create_severalChoices_areThoseOfTheirSeedsAlone() {
        List<String> alone = seeded();

        ChatCompletion all = client.chat().completions().create(sampled(0).n(6).build());

        assertThat(all.isValid()).isTrue();
        assertThat(all.choices()).extracting(ChatCompletion.Choice::index).containsExactly(0L, 1L, 2L, 3L, 4L, 5L);
        assertThat(all.choices())
                .extracting(choice -> choice.message().content().orElseThrow())
                .isEqualTo(alone);
        ChatCompletion first = client.chat().completions().create(sampled(0).build());
        assertThat(all.usage().orElseThrow().promptTokens())
                .isEqualTo(first.usage().orElseThrow().promptTokens());
        assertThat(all.usage().orElseThrow().completionTokens())
                .isGreaterThan(first.usage().orElseThrow().completionTokens());
    }

    @Test
    void createStreaming_twoChoices_areTheWholeOnesInPieces() {
        ChatCompletionCreateParams params = sampled(3)
                .n(2)
                .streamOptions(
                        ChatCompletionStreamOptions.builder().includeUsage(true).build())
                .build();
        ChatCompletion whole = client.chat().completions().create(params);

        ChatCompletionAccumulator accumulator = ChatCompletionAccumulator.create();
        stream(params).forEach(accumulator::accumulate);
        ChatCompletion streamed = accumulator.chatCompletion();

        assertThat(streamed.choices()).hasSize(2);
        for (int index = 0; index < 2; index++) {
            ChatCompletion.Choice choice = whole.choices().get(index);
            assertThat(streamed.choices().get(index).index()).isEqualTo(index);
            assertThat(streamed.choices().get(index).message().content())
                    .isEqualTo(choice.message().content());
            assertThat(streamed.choices().get(index).finishReason()).isEqualTo(choice.finishReason());
        }
        assertThat(streamed.usage().orElseThrow().completionTokens())
                .isEqualTo(whole.usage().orElseThrow().completionTokens());
    }

    @Test
    void create_logprobs_makeUpTheText() {
        ChatCompletionCreateParams params =
                params(anyReference()).logprobs(true).topLogprobs(3).build();

        ChatCompletion answer = client.chat().completions().create(params);

        assertThat(answer.isValid()).isTrue();
        List<ChatCompletionTokenLogprob> tokens =
                answer.choices().get(0).logprobs().orElseThrow().content().orElseThrow();
        assertThat(tokens.stream().map(ChatCompletionTokenLogprob::token).collect(Collectors.joining()))
                .isEqualTo(" " + text(answer));
        assertThat(tokens).hasSize((int) answer.usage().orElseThrow().completionTokens() - 1);
        assertThat(tokens).allSatisfy(token -> {
            assertThat(token.logprob()).isLessThanOrEqualTo(0);
            assertThat(token.topLogprobs()).hasSize(3);
            // The answer is greedy.
            assertThat(token.topLogprobs().get(0).token()).isEqualTo(token.token());
            assertThat(token.topLogprobs().get(0).logprob()).isEqualTo(token.logprob());
            assertThat(token.topLogprobs().stream()
                            .mapToDouble(top -> Math.exp(top.logprob()))
                            .sum())
                    .isLessThanOrEqualTo(1 + 1e-6);
        });
        List<ChatCompletionTokenLogprob> streamed = stream(params).stream()
                .flatMap(chunk -> chunk.choices().stream())
                .flatMap(choice -> choice.logprobs().stream())
                .flatMap(logprobs -> logprobs.content().orElseThrow().stream())
                .toList();
        assertThat(streamed).isEqualTo(tokens);
    }

    @Test
    void create_minTokens_goOnWhereTheModelWouldEnd() {
        ChatCompletionCreateParams params = params(anyReference())
                .putAdditionalBodyProperty("min_tokens", JsonValue.from(40))
                .maxCompletionTokens(40)
                .build();

        ChatCompletion answer = client.chat().completions().create(params);

        assertThat(answer.usage().orElseThrow().completionTokens()).isEqualTo(40);
        assertThat(text(answer)).startsWith(anyReference().float32Text());
        assertThat(answer.choices().get(0).finishReason()).isEqualTo(FinishReason.LENGTH);
    }

    @Test
    void create_minPOfOne_isGreedy() {
        Reference reference = anyReference();

        for (String strict : List.of("min_p", "top_k")) {
            ChatCompletion answer = client.chat()
                    .completions()
                    .create(params(reference)
                            .temperature(2.0)
                            .putAdditionalBodyProperty(strict, JsonValue.from(1))
                            .build());

            assertThat(text(answer)).isEqualTo(reference.float32Text());
        }
    }

    @Test
    void models_list_hasTheServedOne() {
        List<Model> models = client.models().list().data();

        assertThat(models).extracting(Model::id).containsExactly(modelId());
        assertThat(client.models().retrieve(modelId())).isEqualTo(models.get(0));
        assertThat(models.get(0).isValid()).isTrue();
    }

    @Test
    void models_unknown_isNotFound() {
        assertThatExceptionOfType(NotFoundException.class)
                .isThrownBy(() -> client.models().retrieve("gpt-5"))
                .satisfies(e -> assertThat(e.code()).hasValue("model_not_found"));
    }

    @Test
    void create_unknownModel_isNotFound() {
        assertThatExceptionOfType(NotFoundException.class)
                .isThrownBy(() -> client.chat()
                        .completions()
                        .create(hello().model("gpt-5").build()))
                .satisfies(e -> {
                    assertThat(e.statusCode()).isEqualTo(404);
                    assertThat(e.code()).hasValue("model_not_found");
                    assertThat(e.param()).hasValue("model");
                    assertThat(e.type()).hasValue("invalid_request_error");
                    assertThat(e).hasMessageContaining("'gpt-5' does not exist");
                });
    }

    private List<String> seeded() {
        return LongStream.range(0, 6)
                .mapToObj(
                        seed -> client.chat().completions().create(sampled(seed).build()))
                .map(OpenAiClientIT::text)
                .toList();
    }

    private ChatCompletionCreateParams.Builder sampled(long seed) {
        // The penalty favours what was not said yet, so that even a model that is sure of itself wavers.
        return hello().temperature(2.0).presencePenalty(2.0).seed(seed).maxCompletionTokens(24);
    }

    private List<ChatCompletionChunk> stream(ChatCompletionCreateParams params) {
        try (StreamResponse<ChatCompletionChunk> response =
                client.chat().completions().createStreaming(params)) {
            return response.stream().collect(Collectors.toList());
        }
    }

    private static List<String> pieces(List<ChatCompletionChunk> chunks) {
        return chunks.stream()
                .flatMap(chunk -> chunk.choices().stream())
                .flatMap(choice -> choice.delta().content().stream())
                .toList();
    }

    private ChatCompletionCreateParams.Builder hello() {
        return ChatCompletionCreateParams.builder().model(modelId()).addUserMessage("Hello!");
    }

    private ChatCompletionCreateParams.Builder params(Reference reference) {
        ChatCompletionCreateParams.Builder params =
                ChatCompletionCreateParams.builder().model(modelId());
        for (JsonNode turn : MiniEvaluation.question(reference.id()).messages()) {
            JsonNode content = turn.get("content");
            if (turn.get("role").textValue().equals("assistant")) {
                params.addAssistantMessage(content.get(0).get("text").textValue());
            } else {
                params.addUserMessageOfArrayOfContentParts(parts(content));
            }
        }
        return params;
    }

    private static List<ChatCompletionContentPart> parts(JsonNode content) {
        List<ChatCompletionContentPart> parts = new ArrayList<>();
        for (JsonNode part : content) {
            parts.add(
                    MiniEvaluation.isImage(part)
                            ? image(MiniEvaluation.dataUrl(MiniEvaluation.file(part)))
                            : text(part.get("text").textValue()));
        }
        return parts;
    }

    private static ChatCompletionContentPart text(String text) {
        return ChatCompletionContentPart.ofText(
                ChatCompletionContentPartText.builder().text(text).build());
    }

    private static ChatCompletionContentPart image(String url) {
        return ChatCompletionContentPart.ofImageUrl(ChatCompletionContentPartImage.builder()
                .imageUrl(ChatCompletionContentPartImage.ImageUrl.builder()
                        .url(url)
                        .build())
                .build());
    }

    private static Reference anyReference() {
        return reference(question -> question.messages().size() == 1);
    }

    private static Reference reference(Predicate<Question> wanted) {
        return MiniEvaluation.references().stream()
                .filter(reference -> wanted.test(MiniEvaluation.question(reference.id())))
                .findFirst()
                .orElseThrow();
    }

    private static String text(ChatCompletion answer) {
        return answer.choices().get(0).message().content().orElseThrow();
    }

    /** The contract's requests, as this library writes them. */
    private record OpenAiClient(OpenAIClient library) implements Client {

        @Override
        public Answer ask(Chat chat) {
            return answer(library.chat().completions().create(params(chat)), List.of());
        }

        @Override
        public Answer stream(Chat chat) {
            ChatCompletionAccumulator accumulator = ChatCompletionAccumulator.create();
            try (StreamResponse<ChatCompletionChunk> response =
                    library.chat().completions().createStreaming(params(chat))) {
                List<ChatCompletionChunk> chunks =
                        response.stream().map(accumulator::accumulate).toList();
                return answer(accumulator.chatCompletion(), pieces(chunks));
            }
        }

        @Override
        public void leaveAfterFirstPiece(Chat chat) {
            try (StreamResponse<ChatCompletionChunk> response =
                    library.chat().completions().createStreaming(params(chat))) {
                assertThat(response.stream()
                                .flatMap(chunk -> chunk.choices().stream())
                                .flatMap(choice -> choice.delta().content().stream())
                                .filter(text -> !text.isEmpty())
                                .findFirst())
                        .isPresent();
            }
        }

        @Override
        public Class<? extends Throwable> exception(int status, boolean streamed) {
            return switch (status) {
                case 400 -> BadRequestException.class;
                case 404 -> NotFoundException.class;
                default -> InternalServerException.class;
            };
        }

        @Override
        public Refusal refusal(Throwable exception) {
            OpenAIServiceException failure = (OpenAIServiceException) exception;
            return new Refusal(
                    failure.getMessage(),
                    failure.code().orElseThrow(),
                    failure.param().orElse("null"));
        }

        @Override
        public boolean heedsRetryAfter() {
            return true;
        }

        @Override
        public boolean repeatsStreams() {
            return true;
        }

        @Override
        public void close() {
            library.close();
        }

        private static Answer answer(ChatCompletion completion, List<String> pieces) {
            CompletionUsage usage = completion.usage().orElseThrow();
            return new Answer(
                    completion.model(),
                    pieces.isEmpty() ? List.of(text(completion)) : pieces,
                    completion.choices().get(0).finishReason().asString(),
                    usage.promptTokens(),
                    usage.completionTokens());
        }

        private static ChatCompletionCreateParams params(Chat chat) {
            ChatCompletionCreateParams.Builder params = ChatCompletionCreateParams.builder()
                    .model(chat.model())
                    .topP(Optional.ofNullable(chat.topP()))
                    .logitBias(ChatCompletionCreateParams.LogitBias.builder()
                            .putAllAdditionalProperties(chat.logitBias().entrySet().stream()
                                    .collect(Collectors.toMap(
                                            Map.Entry::getKey, entry -> JsonValue.from(entry.getValue()))))
                            .build());
            params.streamOptions(
                    ChatCompletionStreamOptions.builder().includeUsage(true).build());
            for (int i = 0; i < chat.turns().size(); i++) {
                Chat.Turn turn = chat.turns().get(i);
                if (Chat.isUser(i)) {
                    params.addUserMessageOfArrayOfContentParts(parts(turn));
                } else {
                    params.addAssistantMessage(turn.text());
                }
            }
            if (chat.tools() != Chat.Tools.NONE) {
                params.addFunctionTool(FunctionDefinition.builder()
                                .name("clock")
                                .description("Tells the time.")
                                .build())
                        .toolChoice(
                                chat.tools() == Chat.Tools.REQUIRED
                                        ? ChatCompletionToolChoiceOption.Auto.REQUIRED
                                        : ChatCompletionToolChoiceOption.Auto.AUTO);
            }
            return params.build();
        }

        private static List<ChatCompletionContentPart> parts(Chat.Turn turn) {
            List<ChatCompletionContentPart> parts = new ArrayList<>(List.of(text(turn.text())));
            if (turn.picture() != null) {
                parts.add(image(turn.picture()));
            }
            return parts;
        }
    }
}
