package io.idefics.generation;

/** One piece of a {@link Message}: text or a picture. */
public sealed interface ContentPart {

    /**
     * Text, taken literally: special tokens written in it stay text.
     *
     * @param text the text
     */
    record Text(String text) implements ContentPart {}

    /**
     * A reference to a picture.
     *
     * @param url an {@code http:}, {@code https:} or base64 {@code data:} URL, not yet validated
     * @param param the path of this reference in the request, for error messages, as in
     *     {@code messages[0].content[1].image_url.url}
     */
    record ImageRef(String url, String param) implements ContentPart {}
}
