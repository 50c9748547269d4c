package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.helpers.ResponseAccumulator;
import com.openai.models.ResponseFormatJsonObject;
import com.openai.models.responses.EasyInputMessage;
import com.openai.models.responses.Response;
import com.openai.models.responses.ResponseCreateParams;
import com.openai.models.responses.ResponseFormatTextJsonSchemaConfig;
import com.openai.models.responses.ResponseIncludable;
import com.openai.models.responses.ResponseInputContent;
import com.openai.models.responses.ResponseInputImage;
import com.openai.models.responses.ResponseInputItem;
import com.openai.models.responses.ResponseInputText;
import com.openai.models.responses.ResponseOutputText;
import com.openai.models.responses.ResponseStatus;
import com.openai.models.responses.ResponseStreamEvent;
import com.openai.models.responses.ResponseTextConfig;
import io.idefics.testing.MiniEvaluation;
import io.idefics.testing.MiniEvaluation.Reference;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** OpenAI's own client finds what it expects of the Responses API. */
class ResponsesClientIT extends RunningServer {

    private static final Map<String, JsonValue> SCHEMA = Map.of(
            "type", JsonValue.from("object"),
            "properties", JsonValue.from(Map.of("seen", Map.of("type", "boolean"))),
            "required", JsonValue.from(List.of("seen")),
            "additionalProperties", JsonValue.from(false));

    private OpenAIClient client;

    @BeforeEach
    void connect() {
        client = OpenAIOkHttpClient.builder()
                .baseUrl("http://localhost:" + port + "/v1")
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
        Response answer = client.responses()
                .create(hello().instructions("Be brief.")
                        .metadata(ResponseCreateParams.Metadata.builder()
                                .putAdditionalProperty("topic", JsonValue.from("demo"))
                                .build())
                        .build());

        answer.validate();
        assertThat(answer.id()).startsWith("resp_");
        assertThat(answer.model().asString()).isEqualTo(modelId());
        assertThat(answer.status()).hasValue(ResponseStatus.COMPLETED);
        assertThat(answer.instructions().orElseThrow().asString()).isEqualTo("Be brief.");
        assertThat(answer.metadata().orElseThrow()._additionalProperties())
                .containsEntry("topic", JsonValue.from("demo"));
        assertThat(text(answer)).isNotBlank();
        assertThat(answer.usage()).hasValueSatisfying(usage -> {
            assertThat(usage.inputTokens()).isPositive();
            assertThat(usage.totalTokens()).isEqualTo(usage.inputTokens() + usage.outputTokens());
        });
    }

    @Test
    void create_picture_isAnsweredAsTheReferenceDoes() {
        Response answer = client.responses().create(picture().build());

        assertThat(text(answer)).isEqualTo(reference().float32Text());
        assertThat(answer.usage().orElseThrow().inputTokens())
                .isEqualTo(reference().promptIds().size());
        assertThat(answer.usage().orElseThrow().outputTokens())
                .isEqualTo(reference().float32Ids().size());
    }

    @Test
    void createStreaming_picture_isTheWholeAnswerInPieces() {
        Response whole = client.responses().create(picture().build());
        ResponseAccumulator accumulator = ResponseAccumulator.create();
        List<ResponseStreamEvent> events;

        try (StreamResponse<ResponseStreamEvent> response =
                client.responses().createStreaming(picture().build())) {
            events = response.stream().map(accumulator::accumulate).toList();
        }

        events.forEach(ResponseStreamEvent::validate);
        Response streamed = accumulator.response();
        assertThat(text(streamed)).isEqualTo(text(whole));
        assertThat(streamed.status()).hasValue(ResponseStatus.COMPLETED);
        assertThat(streamed.usage().orElseThrow().outputTokens())
                .isEqualTo(whole.usage().orElseThrow().outputTokens());
        List<String> pieces = events.stream()
                .filter(ResponseStreamEvent::isOutputTextDelta)
                .map(event -> event.asOutputTextDelta().delta())
                .toList();
        assertThat(pieces).hasSizeGreaterThan(2);
        assertThat(String.join("", pieces)).isEqualTo(text(whole));
    }

    @Test
    void create_secondTurn_takesTheFirstAnswerAsItWas() {
        Response first = client.responses().create(hello().build());

        Response second = client.responses()
                .create(ResponseCreateParams.builder()
                        .model(modelId())
                        .inputOfResponse(List.of(
                                user(List.of(part("Hello!"))),
                                ResponseInputItem.ofResponseOutputMessage(
                                        first.output().get(0).asMessage()),
                                user(List.of(part("Hello again!")))))
                        .build());

        second.validate();
        assertThat(second.usage().orElseThrow().inputTokens())
                .isGreaterThan(first.usage().orElseThrow().totalTokens());
    }

    @Test
    void create_maxOutputTokens_isIncomplete() {
        Response answer = client.responses().create(picture().maxOutputTokens(2).build());

        assertThat(answer.status()).hasValue(ResponseStatus.INCOMPLETE);
        assertThat(answer.incompleteDetails().orElseThrow().reason())
                .hasValue(Response.IncompleteDetails.Reason.MAX_OUTPUT_TOKENS);
        assertThat(reference().float32Text()).startsWith(text(answer));
    }

    @Test
    void create_logprobs_makeUpTheText() {
        Response answer = client.responses()
                .create(picture()
                        .addInclude(ResponseIncludable.MESSAGE_OUTPUT_TEXT_LOGPROBS)
                        .topLogprobs(2)
                        .build());

        answer.validate();
        List<ResponseOutputText.Logprob> tokens = output(answer).logprobs().orElseThrow();
        assertThat(tokens.stream().map(ResponseOutputText.Logprob::token).collect(Collectors.joining()))
                .isEqualTo(" " + text(answer));
        assertThat(tokens).allSatisfy(token -> assertThat(token.topLogprobs()).hasSize(2));
    }

    @Test
    void create_jsonObject_isOne() throws IOException {
        Response answer = client.responses()
                .create(hello().text(ResponseTextConfig.builder()
                                .format(ResponseFormatJsonObject.builder().build())
                                .build())
                        .build());

        answer.validate();
        assertThat(answer.text().orElseThrow().format().orElseThrow().isJsonObject())
                .isTrue();
        assertThat(answer.status()).hasValue(ResponseStatus.COMPLETED);
        assertThat(JSON.readTree(text(answer)).isObject()).isTrue();
    }

    @Test
    void create_jsonSchema_isKept() throws IOException {
        Response answer = client.responses()
                .create(hello().text(ResponseTextConfig.builder()
                                .format(ResponseFormatTextJsonSchemaConfig.builder()
                                        .name("answer")
                                        .strict(true)
                                        .schema(ResponseFormatTextJsonSchemaConfig.Schema.builder()
                                                .putAllAdditionalProperties(SCHEMA)
                                                .build())
                                        .build())
                                .build())
                        .build());

        answer.validate();
        assertThat(answer.text()
                        .orElseThrow()
                        .format()
                        .orElseThrow()
                        .asJsonSchema()
                        .name())
                .isEqualTo("answer");
        JsonNode json = JSON.readTree(text(answer));
        assertThat(json.fieldNames()).toIterable().containsExactly("seen");
        assertThat(json.get("seen").isBoolean()).isTrue();
    }

    @Test
    void create_mistakes_areTheRightExceptions() {
        assertThatExceptionOfType(BadRequestException.class)
                .isThrownBy(() -> client.responses()
                        .create(hello().previousResponseId("resp_1").build()))
                .satisfies(e -> {
                    assertThat(e.param()).hasValue("previous_response_id");
                    assertThat(e.code()).hasValue("unsupported_parameter");
                });
        assertThatExceptionOfType(NotFoundException.class).isThrownBy(() -> client.responses()
                .create(hello().model("gpt-5").build()));
        assertThatExceptionOfType(NotFoundException.class)
                .isThrownBy(() -> client.responses().retrieve("resp_1"))
                .satisfies(e -> assertThat(e).hasMessageContaining("not stored"));
    }

    @Test
    void create_tooLong_blamesTheInput() {
        assertThatExceptionOfType(BadRequestException.class)
                .isThrownBy(() -> client.responses()
                        .create(ResponseCreateParams.builder()
                                .model(modelId())
                                .input("word ".repeat(10_000))
                                .build()))
                .satisfies(e -> {
                    assertThat(e.code()).hasValue("context_length_exceeded");
                    assertThat(e.param()).hasValue("input");
                });
    }

    private ResponseCreateParams.Builder hello() {
        return ResponseCreateParams.builder().model(modelId()).input("Hello!");
    }

    /** The question of the reference, its picture as a data URL. */
    private ResponseCreateParams.Builder picture() {
        List<ResponseInputContent> parts = new ArrayList<>();
        for (JsonNode part :
                MiniEvaluation.question(reference().id()).messages().get(0).get("content")) {
            parts.add(
                    MiniEvaluation.isImage(part)
                            ? ResponseInputContent.ofInputImage(ResponseInputImage.builder()
                                    .detail(ResponseInputImage.Detail.AUTO)
                                    .imageUrl(MiniEvaluation.dataUrl(MiniEvaluation.file(part)))
                                    .build())
                            : part(part.get("text").textValue()));
        }
        return ResponseCreateParams.builder().model(modelId()).inputOfResponse(List.of(user(parts)));
    }

    private static ResponseInputItem user(List<ResponseInputContent> parts) {
        return ResponseInputItem.ofEasyInputMessage(EasyInputMessage.builder()
                .role(EasyInputMessage.Role.USER)
                .contentOfResponseInputMessageContentList(parts)
                .build());
    }

    private static ResponseInputContent part(String text) {
        return ResponseInputContent.ofInputText(
                ResponseInputText.builder().text(text).build());
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

    private static ResponseOutputText output(Response response) {
        return response.output().get(0).asMessage().content().get(0).asOutputText();
    }

    private static String text(Response response) {
        return output(response).text();
    }
}
