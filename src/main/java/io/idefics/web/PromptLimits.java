package io.idefics.web;

import io.idefics.generation.ContentPart;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Message;
import java.util.Collection;
import java.util.List;

/**
 * How much a request may ask the model to read. It is checked before any text is split into tokens and any picture is
 * fetched.
 *
 * @param maxImages the most pictures
 * @param maxCharacters the most characters of all texts together, in UTF-16 units
 */
public record PromptLimits(int maxImages, int maxCharacters) {

    public PromptLimits(WebProperties properties) {
        this(properties.maxImages(), properties.maxTextCharacters());
    }

    /**
     * Refuses conversations with more.
     *
     * @param path where the conversation is in the request
     */
    public void check(List<Message> messages, String path) {
        checkParts(
                messages.stream().flatMap(message -> message.content().stream()).toList(), path);
    }

    /** Refuses texts and pictures with more. */
    public void checkParts(Collection<ContentPart> parts, String path) {
        long images =
                parts.stream().filter(ContentPart.ImageRef.class::isInstance).count();
        if (images > maxImages) {
            throw new GenerationException(
                    ErrorType.INVALID_VALUE,
                    path + " has " + images + " pictures but may have at most " + maxImages + ".",
                    path);
        }
        long characters = parts.stream()
                .mapToLong(part ->
                        part instanceof ContentPart.Text text ? text.text().length() : 0)
                .sum();
        if (characters > maxCharacters) {
            throw new GenerationException(
                    ErrorType.CONTEXT_LENGTH_EXCEEDED,
                    path + " has " + characters + " characters of text but may have at most " + maxCharacters + ".",
                    path);
        }
    }
}
