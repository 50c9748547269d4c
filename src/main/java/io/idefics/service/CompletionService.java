package io.idefics.service;

import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationRequest;
import java.util.List;
import java.util.Optional;
import reactor.core.publisher.Flux;

/** Answers conversations: the whole story of a request, from messages to text. */
public interface CompletionService {

    /**
     * Answers a conversation. Nothing happens before the subscription; cancelling it stops the generation
     * within one step. The stream fails with a {@link io.idefics.generation.GenerationException}, before the
     * first event for everything that is wrong with the request.
     */
    Flux<GenerationEvent> complete(GenerationRequest request);

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
