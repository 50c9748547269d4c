package io.idefics.web;

import io.idefics.generation.ContentPart;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Message;
import java.util.List;
import java.util.stream.Stream;

/**
 * How many pictures a request may have.
 *
 * @param max the most of them
 */
public record PictureLimit(int max) {

    /**
     * Refuses conversations with more.
     *
     * @param path where the conversation is in the request
     */
    public void check(List<Message> messages, String path) {
        checkParts(messages.stream().flatMap(message -> message.content().stream()), path);
    }

    /** Refuses texts and pictures with more. */
    public void checkParts(Stream<ContentPart> parts, String path) {
        checkCount(parts.filter(ContentPart.ImageRef.class::isInstance).count(), path);
    }

    /** Refuses more. */
    public void checkCount(long images, String path) {
        if (images > max) {
            throw new GenerationException(
                    ErrorType.INVALID_VALUE,
                    path + " has " + images + " pictures but may have at most " + max + ".",
                    path);
        }
    }
}
