package io.idefics.clients;

import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.Content;
import dev.langchain4j.data.message.ImageContent;
import dev.langchain4j.data.message.TextContent;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.InternalServerException;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiChatRequestParameters;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import io.idefics.clients.Chat.Tools;
import io.idefics.clients.Chat.Turn;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** LangChain4j finds what it expects. */
class LangChain4jIT extends ClientOfRunningServer {

    @Override
    public Client connect(String url, int retries) {
        return new LangChain4jClient(url + "/v1", retries);
    }

    private static final class LangChain4jClient implements Client {

        private final OpenAiChatModel model;
        private final OpenAiStreamingChatModel streamingModel;

        LangChain4jClient(String baseUrl, int retries) {
            model = OpenAiChatModel.builder()
                    .baseUrl(baseUrl)
                    .apiKey("none")
                    .maxRetries(retries)
                    .timeout(PATIENCE)
                    .build();
            streamingModel = OpenAiStreamingChatModel.builder()
                    .baseUrl(baseUrl)
                    .apiKey("none")
                    .timeout(PATIENCE)
                    .build();
        }

        @Override
        public Answer ask(Chat chat) {
            ChatResponse response = model.chat(request(chat));
            return answer(List.of(response.aiMessage().text()), response);
        }

        @Override
        public Answer stream(Chat chat) {
            List<String> pieces = new ArrayList<>();
            CompletableFuture<ChatResponse> whole = new CompletableFuture<>();
            streamingModel.chat(request(chat), new StreamingChatResponseHandler() {
                @Override
                public void onPartialResponse(String piece) {
                    pieces.add(piece);
                }

                @Override
                public void onCompleteResponse(ChatResponse response) {
                    whole.complete(response);
                }

                @Override
                public void onError(Throwable error) {
                    whole.completeExceptionally(error);
                }
            });
            return answer(pieces, join(whole));
        }

        @Override
        public void leaveAfterFirstPiece(Chat chat) {
            CompletableFuture<String> piece = new CompletableFuture<>();
            streamingModel.chat(request(chat), new StreamingChatResponseHandler() {
                @Override
                public void onPartialResponse(PartialResponse response, PartialResponseContext context) {
                    context.streamingHandle().cancel();
                    piece.complete(response.text());
                }

                @Override
                public void onCompleteResponse(ChatResponse response) {
                    piece.completeExceptionally(new AssertionError(response));
                }

                @Override
                public void onError(Throwable error) {
                    piece.completeExceptionally(error);
                }
            });
            join(piece);
        }

        @Override
        public Class<? extends Throwable> exception(int status, boolean streamed) {
            return switch (status) {
                case 400 -> InvalidRequestException.class;
                case 404 -> ModelNotFoundException.class;
                default -> InternalServerException.class;
            };
        }

        @Override
        public Refusal refusal(Throwable exception) {
            return Refusal.in(exception.getMessage());
        }

        @Override
        public boolean heedsRetryAfter() {
            return false;
        }

        @Override
        public boolean repeatsStreams() {
            return false;
        }

        @Override
        public void close() {}

        private static <T> T join(CompletableFuture<T> future) {
            try {
                return future.join();
            } catch (CompletionException e) {
                if (e.getCause() instanceof RuntimeException cause) {
                    throw cause;
                }
                throw e;
            }
        }

        private static Answer answer(List<String> pieces, ChatResponse response) {
            return new Answer(
                    response.modelName(),
                    pieces,
                    response.finishReason().name().toLowerCase(Locale.ROOT),
                    response.tokenUsage().inputTokenCount(),
                    response.tokenUsage().outputTokenCount());
        }

        private static ChatRequest request(Chat chat) {
            OpenAiChatRequestParameters.Builder parameters = OpenAiChatRequestParameters.builder()
                    .modelName(chat.model())
                    .topP(chat.topP())
                    .logitBias(chat.logitBias());
            if (chat.tools() != Tools.NONE) {
                parameters.toolSpecifications(List.of(ToolSpecification.builder()
                        .name("clock")
                        .description("Tells the time.")
                        .build()));
                parameters.toolChoice(chat.tools() == Tools.REQUIRED ? ToolChoice.REQUIRED : ToolChoice.AUTO);
            }
            return ChatRequest.builder()
                    .messages(messages(chat.turns()))
                    .parameters(parameters.build())
                    .build();
        }

        private static List<ChatMessage> messages(List<Turn> turns) {
            List<ChatMessage> messages = new ArrayList<>();
            for (int i = 0; i < turns.size(); i++) {
                messages.add(
                        Chat.isUser(i)
                                ? user(turns.get(i))
                                : AiMessage.from(turns.get(i).text()));
            }
            return messages;
        }

        private static UserMessage user(Turn turn) {
            List<Content> content = new ArrayList<>(List.of(TextContent.from(turn.text())));
            if (turn.picture() != null) {
                content.add(ImageContent.from(turn.picture()));
            }
            return UserMessage.from(content);
        }
    }
}
