package io.idefics.web.openai;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.service.CompletionService;
import io.idefics.service.RenderedPrompt;
import io.idefics.service.RenderedPrompt.Token;
import io.idefics.web.BodyReader;
import io.idefics.web.Replies;
import io.idefics.web.openai.TokenRequestReader.Detokenize;
import io.idefics.web.openai.TokenRequestReader.Look;
import io.idefics.web.openai.TokenRequestReader.Tokenize;
import java.util.List;
import java.util.Objects;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import reactor.core.publisher.Mono;

/**
 * Tells the tokens of texts and prompts, in vLLM's words, without running the model and without fetching pictures.
 */
public final class TokensHandler {

    private final CompletionService service;
    private final BodyReader bodies;
    private final TokenRequestReader requests;
    private final Replies replies;
    private final @Nullable BiFunction<ServerRequest, JsonNode, Mono<ServerResponse>> inputs;

    /**
     * Makes a handler.
     *
     * @param inputs answers the requests to {@code /tokenize} that have {@code inputs}, which are of another dialect; null
     *     where it is not spoken
     */
    public TokensHandler(
            CompletionService service,
            BodyReader bodies,
            TokenRequestReader requests,
            Replies replies,
            @Nullable BiFunction<ServerRequest, JsonNode, Mono<ServerResponse>> inputs) {
        this.service = service;
        this.bodies = bodies;
        this.requests = requests;
        this.replies = replies;
        this.inputs = inputs;
    }

    /** Answers {@code POST /tokenize}: the tokens of a prompt or of a text. */
    public Mono<ServerResponse> tokenize(ServerRequest request) {
        return bodies.read(request)
                .flatMap(body -> inputs != null && TokenRequestReader.hasInputs(body)
                        ? inputs.apply(request, body)
                        : tokenize(requests.tokenize(body)));
    }

    private Mono<ServerResponse> tokenize(Tokenize wanted) {
        Mono<RenderedPrompt> tokens = wanted.prompt() == null
                ? service.tokenize(wanted.model(), Objects.requireNonNull(wanted.text()))
                : service.render(wanted.model(), wanted.prompt());
        return tokens.flatMap(rendered -> replies.json(Tokens.of(rendered, wanted.withStrings())));
    }

    /** Answers {@code POST /detokenize}: the text of tokens. */
    public Mono<ServerResponse> detokenize(ServerRequest request) {
        return bodies.read(request).map(requests::detokenize).flatMap(this::detokenize);
    }

    private Mono<ServerResponse> detokenize(Detokenize wanted) {
        return service.detokenize(wanted.model(), wanted.ids(), wanted.skipSpecialTokens())
                .flatMap(text -> replies.json(new Text(text)));
    }

    /** Answers {@code POST /v1/chat/completions/render}: the prompt of a chat request. */
    public Mono<ServerResponse> render(ServerRequest request) {
        return look(request).flatMap(rendered -> replies.json(Rendered.of(rendered)));
    }

    /** Answers {@code POST /v1/chat/completions/input_tokens}: how many tokens the prompt of a chat request has. */
    public Mono<ServerResponse> count(ServerRequest request) {
        return look(request)
                .flatMap(rendered -> replies.json(
                        new InputTokens(InputTokens.OBJECT, rendered.tokens().size())));
    }

    private Mono<RenderedPrompt> look(ServerRequest request) {
        return bodies.read(request).map(requests::chat).flatMap(this::look);
    }

    private Mono<RenderedPrompt> look(Look wanted) {
        return service.render(wanted.model(), wanted.prompt());
    }

    private static List<Integer> ids(RenderedPrompt prompt) {
        return prompt.tokens().stream().map(Token::id).toList();
    }

    /** vLLM's {@code TokenizeResponse}; {@code token_strs} is null unless asked for. */
    private record Tokens(
            int count,
            @JsonProperty("max_model_len") int maxModelLen,
            List<Integer> tokens,
            @JsonProperty("token_strs") @Nullable List<String> tokenStrs) {

        static Tokens of(RenderedPrompt prompt, boolean withStrings) {
            List<String> strings =
                    withStrings ? prompt.tokens().stream().map(Token::text).toList() : null;
            return new Tokens(prompt.tokens().size(), prompt.contextLength(), ids(prompt), strings);
        }
    }

    /** vLLM's {@code DetokenizeResponse}. */
    private record Text(String prompt) {}

    /** A prompt as the model reads it. */
    private record Rendered(
            String prompt,
            @JsonProperty("token_ids") List<Integer> tokenIds,
            int count,
            @JsonProperty("image_tokens") int imageTokens,
            @JsonProperty("max_model_len") int maxModelLen) {

        static Rendered of(RenderedPrompt prompt) {
            return new Rendered(
                    prompt.text(), ids(prompt), prompt.tokens().size(), prompt.imageTokens(), prompt.contextLength());
        }
    }

    /** OpenAI's count of input tokens, as llama.cpp gives it for chat requests too. */
    private record InputTokens(String object, @JsonProperty("input_tokens") int inputTokens) {

        static final String OBJECT = "response.input_tokens";
    }
}
