package io.idefics.service;

import io.idefics.generation.Client;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.Prompt;
import java.util.List;
import java.util.Optional;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** Generates text: the whole story of a request, from its prompt to the answer. */
public interface CompletionService {

    /**
     * Answers a request. Nothing happens before the subscription; cancelling it stops the generation
     * within one step. The stream fails with a {@link io.idefics.generation.GenerationException}, before the
     * first event for everything that is wrong with the request.
     */
    Flux<GenerationEvent> complete(GenerationRequest request);

    /**
     * Finds out what is wrong with the prompts of one request and fetches their pictures, and gives the answers that {@link
     * #complete} would give, in order; each is generated when it is subscribed to, once.
     *
     * @param atOnce how many prompts are prepared at the same time
     */
    default Mono<List<Flux<GenerationEvent>>> prepare(List<GenerationRequest> prompts, int atOnce) {
        return Mono.fromSupplier(() -> prompts.stream().map(this::complete).toList());
    }

    /**
     * Tells how likely each of some answers to a conversation is.
     *
     * @param model the id of the model
     * @param conversation the conversation, whose last message is the user's
     * @param answers the answers, at least one
     * @param client who asks
     */
    Mono<Classification> classify(String model, Prompt.Conversation conversation, List<String> answers, Client client);

    /** The tokens of a prompt, as {@link #complete} would run them. Pictures are not fetched. */
    Mono<RenderedPrompt> render(String model, Prompt prompt);

    /** The tokens of a text alone, special ones where it names them. */
    Mono<RenderedPrompt> tokenize(String model, String text);

    /**
     * The text of tokens.
     *
     * @param skipSpecialTokens whether special tokens are left out
     */
    Mono<String> detokenize(String model, List<Integer> ids, boolean skipSpecialTokens);

    /** The models that are ready, in configured order. */
    List<ModelDescription> models();

    /** The model of that id, if it is ready. */
    default Optional<ModelDescription> model(String id) {
        return models().stream().filter(model -> model.id().equals(id)).findFirst();
    }

    /** Whether a model of that id is configured, ready or not. */
    default boolean knows(String id) {
        return model(id).isPresent();
    }
}
