package io.idefics.web.openai;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.errors.SseException;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionContentPart;
import com.openai.models.chat.completions.ChatCompletionContentPartImage;
import com.openai.models.chat.completions.ChatCompletionContentPartText;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.web.ScriptedCompletionService;
import io.idefics.web.WebServerTest;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;

/** OpenAI's own client library against this server. */
class OpenAiClientIT extends WebServerTest {

    private OpenAIClient openai;

    @BeforeEach
    void connect() {
        openai = OpenAIOkHttpClient.builder()
                .baseUrl("http://localhost:" + port + "/v1")
                .apiKey("unused")
                .maxRetries(0)
                .build();
    }

    @AfterEach
    void disconnect() {
        openai.close();
    }

    @Test
    void create_picture_givesAnswerAndUsage() {
        var params = ChatCompletionCreateParams.builder()
                .model(ScriptedCompletionService.MODEL)
                .addUserMessageOfArrayOfContentParts(List.of(
                        ChatCompletionContentPart.ofImageUrl(ChatCompletionContentPartImage.builder()
                                .imageUrl(ChatCompletionContentPartImage.ImageUrl.builder()
                                        .url("data:image/png;base64,AA==")
                                        .detail(ChatCompletionContentPartImage.ImageUrl.Detail.LOW)
                                        .build())
                                .build()),
                        ChatCompletionContentPart.ofText(ChatCompletionContentPartText.builder()
                                .text("What is it?")
                                .build())))
                .maxCompletionTokens(8)
                .seed(1)
                .build();

        var answer = openai.chat().completions().create(params);

        answer.validate();
        assertThat(answer.choices().get(0).message().content()).hasValue("A red square 🟥\n.");
        assertThat(answer.usage().orElseThrow().totalTokens()).isEqualTo(16);
    }

    @Test
    void createStreaming_usage_givesChunksInOrder() {
        var params = hello().streamOptions(
                        ChatCompletionStreamOptions.builder().includeUsage(true).build())
                .build();

        try (StreamResponse<ChatCompletionChunk> stream =
                openai.chat().completions().createStreaming(params)) {
            List<ChatCompletionChunk> chunks = stream.stream().toList();

            chunks.forEach(ChatCompletionChunk::validate);
            assertThat(chunks.stream()
                            .flatMap(chunk -> chunk.choices().stream())
                            .flatMap(choice -> choice.delta().content().stream())
                            .collect(Collectors.joining()))
                    .isEqualTo("A red square 🟥\n.");
            assertThat(chunks.get(chunks.size() - 1).usage().orElseThrow().totalTokens())
                    .isEqualTo(13);
        }
    }

    @Test
    void createStreaming_errorAfterText_isThrown() {
        service.script(request -> Flux.concat(
                Flux.just(new TextDelta(0, "half")),
                Flux.error(new GenerationException(ErrorType.OVERLOADED, "no room", null))));

        try (StreamResponse<ChatCompletionChunk> stream =
                openai.chat().completions().createStreaming(hello().build())) {
            assertThatThrownBy(() -> stream.stream().toList()).isInstanceOf(SseException.class);
        }
    }

    @Test
    void create_mistake_isTheRightException() {
        assertThatThrownBy(() -> openai.chat()
                        .completions()
                        .create(hello().temperature(3).build()))
                .isInstanceOfSatisfying(BadRequestException.class, e -> {
                    assertThat(e.param()).hasValue("temperature");
                    assertThat(e.code()).hasValue("invalid_value");
                });
        assertThatThrownBy(() ->
                        openai.chat().completions().create(hello().model("nope").build()))
                .isInstanceOf(NotFoundException.class);
    }

    @Test
    void models_listAndRetrieve_giveTheModels() {
        assertThat(openai.models().list().data())
                .extracting(model -> model.id())
                .containsExactly("org/mini-model", "other");
        assertThat(openai.models().retrieve("org/mini-model").created()).isEqualTo(1_700_000_000L);
    }

    private static ChatCompletionCreateParams.Builder hello() {
        return ChatCompletionCreateParams.builder()
                .model(ScriptedCompletionService.MODEL)
                .addUserMessage("hi");
    }
}
