package io.idefics.generation;

import org.jspecify.annotations.Nullable;

/** A request that could not be served, with the reason from a closed set. */
public class GenerationException extends RuntimeException {

    /** Every way in which a request can fail. */
    public enum ErrorType {
        /** A field has a wrong type, form or value. */
        INVALID_VALUE,
        /** A field asks for something that this service does not do. */
        UNSUPPORTED_PARAMETER,
        /** The prompt, or prompt and answer together, exceed the context of the model. */
        CONTEXT_LENGTH_EXCEEDED,
        /** No model of that name is served. */
        MODEL_NOT_FOUND,
        /** The URL of a picture is malformed, forbidden or cannot be fetched. */
        INVALID_IMAGE_URL,
        /** The bytes of a picture are not a picture that can be decoded. */
        INVALID_IMAGE_FORMAT,
        /** A picture has too many bytes or pixels. */
        IMAGE_TOO_LARGE,
        /** The service has no room for another request; try again later. */
        OVERLOADED,
        /** The model is loading or failed to load. */
        MODEL_NOT_READY,
        /** A fault of the service. */
        INTERNAL
    }

    private final ErrorType type;
    private final @Nullable String param;

    public GenerationException(ErrorType type, String message, @Nullable String param) {
        this(type, message, param, null);
    }

    public GenerationException(ErrorType type, String message, @Nullable String param, @Nullable Throwable cause) {
        super(message, cause);
        this.type = type;
        this.param = param;
    }

    public ErrorType type() {
        return type;
    }

    /** The path of the offending field in the request, as in {@code messages[0].content}. */
    public @Nullable String param() {
        return param;
    }
}
