package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.anthropic.client.AnthropicClient;
import com.anthropic.client.okhttp.AnthropicOkHttpClient;
import com.anthropic.core.JsonValue;
import com.anthropic.core.http.StreamResponse;
import com.anthropic.errors.BadRequestException;
import com.anthropic.errors.NotFoundException;
import com.anthropic.errors.OverloadedException;
import com.anthropic.helpers.MessageAccumulator;
import com.anthropic.models.messages.Base64ImageSource;
import com.anthropic.models.messages.ContentBlockParam;
import com.anthropic.models.messages.ImageBlockParam;
import com.anthropic.models.messages.JsonOutputFormat;
import com.anthropic.models.messages.Message;
import com.anthropic.models.messages.MessageCountTokensParams;
import com.anthropic.models.messages.MessageCreateParams;
import com.anthropic.models.messages.OutputConfig;
import com.anthropic.models.messages.RawMessageStreamEvent;
import com.anthropic.models.messages.StopReason;
import com.anthropic.models.messages.TextBlockParam;
import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.admission.Permit;
import io.idefics.generation.Priority;
import io.idefics.testing.MiniEvaluation;
import io.idefics.testing.MiniEvaluation.Reference;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Anthropic's own client finds what it expects. */
class AnthropicClientIT extends RunningServer {

    private static final Map<String, JsonValue> SCHEMA = Map.of(
            "type", JsonValue.from("object"),
            "properties", JsonValue.from(Map.of("seen", Map.of("type", "boolean"))),
            "required", JsonValue.from(List.of("seen")),
            "additionalProperties", JsonValue.from(false));

    private AnthropicClient client;

    @BeforeEach
    void connect() {
        client = AnthropicOkHttpClient.builder()
                .baseUrl("http://localhost:" + port)
                .apiKey("none")
                .maxRetries(0)
                .timeout(PATIENCE)
                .build();
    }

    @AfterEach
    void disconnect() {
        client.close();
    }

    @Test
    void create_text_isAnswered() {
        Message answer = client.messages().create(hello().system("Be brief.").build());

        answer.validate();
        assertThat(answer.id()).startsWith("msg_");
        assertThat(answer.model().asString()).isEqualTo(modelId());
        assertThat(text(answer)).isNotBlank();
        assertThat(answer.stopReason()).hasValue(StopReason.END_TURN);
        assertThat(answer.usage().outputTokens()).isPositive();
    }

    @Test
    void create_pictureInBase64_isAnsweredAsTheReferenceDoes() {
        Message answer = client.messages().create(params(base64()).build());

        answer.validate();
        assertThat(text(answer)).isEqualTo(reference().float32Text());
        assertThat(answer.usage().inputTokens()
                        + answer.usage().cacheReadInputTokens().orElseThrow())
                .isEqualTo(reference().promptIds().size());
        assertThat(answer.usage().outputTokens())
                .isEqualTo(reference().float32Ids().size());
    }

    @Test
    void create_pictureByUrl_isAnsweredAsTheReferenceDoes() {
        Message answer = client.messages().create(params(byUrl()).build());

        assertThat(text(answer)).isEqualTo(reference().float32Text());
    }

    @Test
    void createStreaming_picture_isTheWholeAnswerInPieces() {
        Message whole = client.messages().create(params(base64()).build());
        MessageAccumulator accumulator = MessageAccumulator.create();
        List<RawMessageStreamEvent> events;

        try (StreamResponse<RawMessageStreamEvent> response =
                client.messages().createStreaming(params(base64()).build())) {
            events = response.stream().peek(accumulator::accumulate).toList();
        }

        events.forEach(RawMessageStreamEvent::validate);
        Message streamed = accumulator.message();
        assertThat(text(streamed)).isEqualTo(text(whole));
        assertThat(streamed.stopReason()).isEqualTo(whole.stopReason());
        assertThat(streamed.usage().inputTokens()
                        + streamed.usage().cacheReadInputTokens().orElseThrow())
                .isEqualTo(reference().promptIds().size());
        assertThat(streamed.usage().outputTokens()).isEqualTo(whole.usage().outputTokens());
        assertThat(events.get(0).asMessageStart().message().usage().inputTokens())
                .isEqualTo(reference().promptIds().size());
        assertThat(events.stream().filter(RawMessageStreamEvent::isContentBlockDelta))
                .hasSizeGreaterThan(2);
    }

    @Test
    void create_stopSequence_endsBeforeIt() {
        String stop = reference().float32Text().split("(?= )")[2];

        Message answer =
                client.messages().create(params(base64()).addStopSequence(stop).build());

        assertThat(text(answer))
                .isEqualTo(reference()
                        .float32Text()
                        .substring(0, reference().float32Text().indexOf(stop)));
        assertThat(answer.stopReason()).hasValue(StopReason.STOP_SEQUENCE);
        assertThat(answer.stopSequence()).hasValue(stop);
    }

    @Test
    void create_maxTokens_endsThere() {
        Message answer = client.messages().create(params(base64()).maxTokens(2).build());

        assertThat(answer.stopReason()).hasValue(StopReason.MAX_TOKENS);
        assertThat(answer.usage().outputTokens()).isEqualTo(2);
    }

    @Test
    void create_moreThanTheContextHolds_isAnswered() {
        Message answer =
                client.messages().create(params(base64()).maxTokens(1_000_000).build());

        assertThat(text(answer)).isEqualTo(reference().float32Text());
        assertThat(answer.stopReason()).hasValue(StopReason.END_TURN);
    }

    @Test
    void create_jsonSchema_isKept() throws IOException {
        Message answer = client.messages()
                .create(hello().outputConfig(OutputConfig.builder()
                                .format(JsonOutputFormat.builder()
                                        .schema(JsonOutputFormat.Schema.builder()
                                                .putAllAdditionalProperties(SCHEMA)
                                                .build())
                                        .build())
                                .build())
                        .build());

        JsonNode json = JSON.readTree(text(answer));
        assertThat(json.fieldNames()).toIterable().containsExactly("seen");
        assertThat(json.get("seen").isBoolean()).isTrue();
    }

    @Test
    void create_lastMessageOfTheAssistant_isContinued() {
        String said = reference().float32Text().split("(?= )")[0];

        Message answer = client.messages()
                .create(params(base64()).addAssistantMessage(said).build());

        assertThat(said + text(answer)).isEqualTo(reference().float32Text());
    }

    @Test
    void countTokens_picture_isThatOfTheReference() {
        long tokens = client.messages()
                .countTokens(MessageCountTokensParams.builder()
                        .model(modelId())
                        .addUserMessageOfContentBlockParams(blocks(base64()))
                        .build())
                .inputTokens();

        assertThat(tokens).isEqualTo(reference().promptIds().size());
    }

    @Test
    void create_mistakes_areTheRightExceptions() {
        assertThatExceptionOfType(BadRequestException.class)
                .isThrownBy(() -> client.messages()
                        .create(hello().addUserMessageOfContentBlockParams(List.of(url("http://[")))
                                .build()))
                .satisfies(e -> assertThat(e).hasMessageContaining("messages[1].content[0].source.url"));
        assertThatExceptionOfType(NotFoundException.class)
                .isThrownBy(
                        () -> client.messages().create(hello().model("claude").build()))
                .satisfies(e -> assertThat(e).hasMessageContaining("'claude' does not exist"));
    }

    @Test
    void create_noRoom_isOverloaded() {
        awaitIdle(PATIENCE);
        List<Permit> permits = new ArrayList<>();
        int free = limiter.available();
        for (int i = 0; i < free; i++) {
            permits.add(limiter.acquire(Priority.NORMAL));
        }
        try {
            assertThatExceptionOfType(OverloadedException.class)
                    .isThrownBy(() -> client.messages().create(hello().build()));
        } finally {
            permits.forEach(Permit::close);
        }
    }

    private MessageCreateParams.Builder hello() {
        return MessageCreateParams.builder().model(modelId()).maxTokens(64).addUserMessage("Hello!");
    }

    /** The question of the reference, with its picture given in some way. */
    private MessageCreateParams.Builder params(ContentBlockParam picture) {
        return MessageCreateParams.builder()
                .model(modelId())
                .maxTokens(64)
                .addUserMessageOfContentBlockParams(blocks(picture));
    }

    private static List<ContentBlockParam> blocks(ContentBlockParam picture) {
        List<ContentBlockParam> blocks = new ArrayList<>();
        for (JsonNode part : content()) {
            blocks.add(
                    MiniEvaluation.isImage(part)
                            ? picture
                            : ContentBlockParam.ofText(TextBlockParam.builder()
                                    .text(part.get("text").textValue())
                                    .build()));
        }
        return blocks;
    }

    private static ContentBlockParam base64() {
        return ContentBlockParam.ofImage(ImageBlockParam.builder()
                .source(Base64ImageSource.builder()
                        .mediaType(Base64ImageSource.MediaType.IMAGE_PNG)
                        .data(Base64.getEncoder().encodeToString(MiniEvaluation.file(picture())))
                        .build())
                .build());
    }

    private static ContentBlockParam byUrl() {
        return url(IMAGE_HOST.url(picture().get("path").textValue()));
    }

    private static ContentBlockParam url(String url) {
        return ContentBlockParam.ofImage(
                ImageBlockParam.builder().urlSource(url).build());
    }

    /** The answer to a question of one turn with one picture. */
    private static Reference reference() {
        return MiniEvaluation.references().stream()
                .filter(reference -> {
                    JsonNode messages = MiniEvaluation.question(reference.id()).messages();
                    return messages.size() == 1
                            && messages.findValuesAsText("path").size() == 1;
                })
                .findFirst()
                .orElseThrow();
    }

    private static JsonNode content() {
        return MiniEvaluation.question(reference().id()).messages().get(0).get("content");
    }

    private static JsonNode picture() {
        for (JsonNode part : content()) {
            if (MiniEvaluation.isImage(part)) {
                return part;
            }
        }
        throw new AssertionError("no picture");
    }

    private static String text(Message message) {
        return message.content().get(0).asText().text();
    }
}
