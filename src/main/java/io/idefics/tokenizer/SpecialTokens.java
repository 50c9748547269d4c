package io.idefics.tokenizer;

import java.util.OptionalInt;

/**
 * The ids of the tokens that carry the structure of a prompt, as the tokenizer file declares them.
 *
 * @param bos id of {@value #BOS}, the beginning of every prompt
 * @param eos id of {@value #EOS}, the end of a document
 * @param pad id of {@value #PAD}, which IDEFICS pads with
 * @param fakeTokenAroundImage id of {@value #FAKE_TOKEN_AROUND_IMAGE}
 * @param image id of {@value #IMAGE}, one for each picture
 * @param endOfUtterance id of {@value #END_OF_UTTERANCE}, the end of a turn; empty for the base models
 */
public record SpecialTokens(
        int bos, int eos, int pad, int fakeTokenAroundImage, int image, OptionalInt endOfUtterance) {

    public static final String BOS = "<s>";
    public static final String EOS = "</s>";
    public static final String PAD = "<unk>";
    public static final String FAKE_TOKEN_AROUND_IMAGE = "<fake_token_around_image>";
    public static final String IMAGE = "<image>";
    public static final String END_OF_UTTERANCE = "<end_of_utterance>";
}
