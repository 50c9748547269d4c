package io.idefics.web;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.service.CompletionService;
import io.idefics.service.ModelDescription;
import java.util.List;

/** Finds the model that a request asks for. */
public record ModelNames(CompletionService service) {

    /** The model that is asked for, or the first one where none is. One that is loading or failed is the service's answer. */
    public String read(JsonField field) {
        List<ModelDescription> ready = service.models();
        if (field.isPresent() && service.knows(field.string())) {
            return field.string();
        }
        if (ready.isEmpty()) {
            throw new GenerationException(ErrorType.MODEL_NOT_READY, "No model is ready to answer.", null);
        }
        if (field.isPresent()) {
            throw new GenerationException(
                    ErrorType.MODEL_NOT_FOUND, "The model " + field.shown() + " does not exist.", field.path());
        }
        return ready.get(0).id();
    }
}
