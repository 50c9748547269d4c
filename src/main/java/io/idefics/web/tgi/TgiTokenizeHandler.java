package io.idefics.web.tgi;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.Prompt;
import io.idefics.service.CompletionService;
import io.idefics.web.BodyReader;
import io.idefics.web.JsonField;
import io.idefics.web.Replies;
import io.idefics.web.openai.ChatRequestReader;
import io.idefics.web.openai.TokenRequestReader;
import java.util.List;
import java.util.OptionalInt;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import reactor.core.publisher.Mono;

/** Tells the tokens of prompts; nothing is generated and no picture is fetched. */
public final class TgiTokenizeHandler {

    private final CompletionService service;
    private final BodyReader bodies;
    private final GenerateRequestReader requests;
    private final ChatRequestReader chats;
    private final Replies replies;

    public TgiTokenizeHandler(
            CompletionService service,
            BodyReader bodies,
            GenerateRequestReader requests,
            ChatRequestReader chats,
            Replies replies) {
        this.service = service;
        this.bodies = bodies;
        this.requests = requests;
        this.chats = chats;
        this.replies = replies;
    }

    private record ChatTokens(
            @JsonProperty("tokenize_response") List<SimpleToken> tokens, @JsonProperty("templated_text") String text) {}

    /**
     * Answers a body that has {@code inputs} with the array of its tokens. From here on the errors of the request are
     * written as text-generation-inference writes them.
     */
    public Mono<ServerResponse> tokenize(ServerRequest request, JsonNode body) {
        TgiErrors.INSTANCE.mark(request.exchange());
        return Mono.defer(() -> {
            JsonField root = JsonField.root(body);
            Inputs inputs = requests.inputs(root);
            Prompt prompt = GenerateRequestReader.prompt(inputs, OptionalInt.empty());
            TokenRequestReader.requireShort(prompt, root.get("inputs"));
            return service.render(requests.model(root), prompt)
                    .map(rendered -> TokenOffsets.of(rendered.tokens(), inputs))
                    .flatMap(replies::json);
        });
    }

    /** Answers a chat request with its prompt and the tokens of it. */
    Mono<ServerResponse> chatTokenize(ServerRequest request) {
        return GenerateHandler.body(bodies, request).flatMap(body -> {
            GenerationRequest chat = chats.read(body).generation();
            TokenRequestReader.requireShort(chat.prompt(), JsonField.root(body).get("messages"));
            return service.render(chat.model(), chat.prompt())
                    .map(prompt -> new ChatTokens(
                            TokenOffsets.of(prompt.tokens(), Inputs.plain(prompt.text())), prompt.text()))
                    .flatMap(replies::json);
        });
    }
}
