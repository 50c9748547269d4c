package io.idefics.generation;

import java.time.Duration;
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
        /** The client has not said who it is, or not in a way that is known. */
        UNAUTHENTICATED,
        /** The client may not do this. */
        FORBIDDEN,
        /** The client has done all that it may for now. */
        RATE_LIMITED,
        /** The service has no room for another request; try again later. */
        OVERLOADED,
        /** The model is loading or failed to load. */
        MODEL_NOT_READY,
        /** A fault of the service. */
        INTERNAL
    }

    private final ErrorType type;
    private final @Nullable String param;
    private final @Nullable Duration retryAfter;

    public GenerationException(ErrorType type, String message, @Nullable String param) {
        this(type, message, param, null);
    }

    public GenerationException(ErrorType type, String message, @Nullable String param, @Nullable Throwable cause) {
        this(type, message, param, null, cause);
    }

    private GenerationException(
            ErrorType type,
            String message,
            @Nullable String param,
            @Nullable Duration retryAfter,
            @Nullable Throwable cause) {
        super(message, cause);
        this.type = type;
        this.param = param;
        this.retryAfter = retryAfter;
    }

    /**
     * A client that has done all that it may.
     *
     * @param retryAfter when it may do this; null where it never may, as this alone is too much
     */
    public static GenerationException rateLimited(String message, @Nullable Duration retryAfter) {
        return new GenerationException(ErrorType.RATE_LIMITED, message, null, retryAfter, null);
    }

    public ErrorType type() {
        return type;
    }

    /** The path of the offending field in the request, as in {@code messages[0].content}. */
    public @Nullable String param() {
        return param;
    }

    /** How long to wait before the request can succeed; null where nobody knows. */
    public @Nullable Duration retryAfter() {
        return retryAfter;
    }
}
