package io.idefics.clients;

import com.openai.errors.BadRequestException;
import com.openai.errors.InternalServerException;
import com.openai.errors.NotFoundException;
import com.openai.errors.OpenAIServiceException;
import io.idefics.clients.Chat.Tools;
import io.idefics.clients.Chat.Turn;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.ai.chat.messages.AssistantMessage;
import org.springframework.ai.chat.messages.Message;
import org.springframework.ai.chat.messages.UserMessage;
import org.springframework.ai.chat.metadata.ChatGenerationMetadata;
import org.springframework.ai.chat.model.ChatResponse;
import org.springframework.ai.chat.prompt.Prompt;
import org.springframework.ai.content.Media;
import org.springframework.ai.openai.OpenAiChatModel;
import org.springframework.ai.openai.OpenAiChatOptions;
import org.springframework.ai.tool.function.FunctionToolCallback;
import org.springframework.util.MimeTypeUtils;

/** Spring AI of the generation of Spring Boot 4 finds what it expects. */
class SpringAi2Test implements ClientContract {

    private static final Duration PATIENCE = Duration.ofSeconds(60);

    @TempDir
    private static Path directory;

    private static PackagedServer server;

    @BeforeAll
    static void start() throws IOException {
        server = new PackagedServer(directory);
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    @Override
    public Server server() {
        return server;
    }

    @Override
    public Client connect(String url, int retries) {
        return new SpringAiClient(url + "/v1", retries);
    }

    private static final class SpringAiClient implements Client {

        private final OpenAiChatModel model;

        SpringAiClient(String baseUrl, int retries) {
            model = OpenAiChatModel.builder()
                    .options(OpenAiChatOptions.builder()
                            .baseUrl(baseUrl)
                            .apiKey("none")
                            .maxRetries(retries)
                            .timeout(PATIENCE)
                            .build())
                    .build();
        }

        @Override
        public Answer ask(Chat chat) {
            return answer(List.of(model.call(prompt(chat, false))));
        }

        @Override
        public Answer stream(Chat chat) {
            try {
                return answer(model.stream(prompt(chat, true)).collectList().block(PATIENCE));
            } catch (CompletionException e) {
                if (e.getCause() instanceof OpenAIServiceException refusal) {
                    throw refusal;
                }
                throw e;
            }
        }

        @Override
        public void leaveAfterFirstPiece(Chat chat) {
            model.stream(prompt(chat, true))
                    .filter(response -> !text(response).isEmpty())
                    .blockFirst(PATIENCE);
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
        public void close() {}

        private static Answer answer(List<ChatResponse> responses) {
            ChatResponse last = responses.get(responses.size() - 1);
            return new Answer(
                    last.getMetadata().getModel(),
                    responses.stream()
                            .map(SpringAiClient::text)
                            .filter(text -> !text.isEmpty())
                            .toList(),
                    responses.stream()
                            .flatMap(response -> response.getResults().stream())
                            .map(result -> finishReason(result.getMetadata()))
                            .filter(reason -> !reason.isEmpty())
                            .findFirst()
                            .orElseThrow(),
                    last.getMetadata().getUsage().getPromptTokens(),
                    last.getMetadata().getUsage().getCompletionTokens());
        }

        private static String text(ChatResponse response) {
            if (response.getResults().isEmpty()) {
                return "";
            }
            String text = response.getResult().getOutput().getText();
            return text == null ? "" : text;
        }

        private static String finishReason(ChatGenerationMetadata metadata) {
            String reason = metadata.getFinishReason();
            return reason == null ? "" : reason.toLowerCase(Locale.ROOT);
        }

        private static Prompt prompt(Chat chat, boolean streamed) {
            OpenAiChatOptions.Builder options = OpenAiChatOptions.builder()
                    .model(chat.model())
                    .temperature(0.0) // 0.7 otherwise
                    .topP(chat.topP())
                    .streamUsage(streamed);
            if (!chat.logitBias().isEmpty()) {
                options.logitBias(chat.logitBias());
            }
            if (chat.tools() != Tools.NONE) {
                options.toolCallbacks(FunctionToolCallback.builder("clock", (Map<String, Object> none) -> "noon")
                        .description("Tells the time.")
                        .inputType(Map.class)
                        .build());
                options.toolChoice(chat.tools() == Tools.REQUIRED ? "required" : "auto");
            }
            return new Prompt(messages(chat.turns()), options.build());
        }

        private static List<Message> messages(List<Turn> turns) {
            List<Message> messages = new ArrayList<>();
            for (int i = 0; i < turns.size(); i++) {
                messages.add(
                        Chat.isUser(i)
                                ? user(turns.get(i))
                                : new AssistantMessage(turns.get(i).text()));
            }
            return messages;
        }

        private static UserMessage user(Turn turn) {
            UserMessage.Builder message = UserMessage.builder().text(turn.text());
            if (turn.picture() != null) {
                message.media(new Media(MimeTypeUtils.IMAGE_PNG, URI.create(turn.picture())));
            }
            return message.build();
        }
    }
}
