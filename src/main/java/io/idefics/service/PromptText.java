package io.idefics.service;

import io.idefics.engine.TokenLogprobs;
import io.idefics.generation.GenerationEvent.PromptRead;
import io.idefics.generation.TokenLogprob;
import io.idefics.tokenizer.IncrementalDecoder;
import java.util.ArrayList;
import java.util.List;

/**
 * The text of a prompt, as it is told before the answer.
 *
 * @param ids the tokens
 * @param text their text, without special tokens
 * @param offsets where the text of each token begins, in code points
 */
record PromptText(int[] ids, String text, int[] offsets) {

    static PromptText of(int[] ids, TokenTexts texts) {
        IncrementalDecoder decoder = texts.tokenizer().incrementalDecoder();
        StringBuilder text = new StringBuilder();
        int[] offsets = new int[ids.length];
        int length = 0;
        for (int i = 0; i < ids.length; i++) {
            String own = texts.hasText(ids[i]) ? texts.text(ids[i]) : "";
            String piece = decoder.append(ids[i]);
            int before = length;
            length += piece.codePointCount(0, piece.length());
            text.append(piece);
            offsets[i] = Math.max(before, length - own.codePointCount(0, own.length()));
        }
        text.append(decoder.finish());
        return new PromptText(ids, text.toString(), offsets);
    }

    /** The length of the text in code points. */
    int length() {
        return text.codePointCount(0, text.length());
    }

    /** The prompt as an event; nothing precedes its first token, so there is nothing to tell of how likely that was. */
    PromptRead told(List<TokenLogprobs> logprobs, boolean tellsLogprobs, TokenTexts texts) {
        if (!tellsLogprobs) {
            return new PromptRead(text, List.of());
        }
        List<TokenLogprob> told = new ArrayList<>();
        told.add(new TokenLogprob(texts.candidate(ids[0], Double.NaN), List.of(), offsets[0]));
        for (int i = 0; i < logprobs.size(); i++) {
            told.add(texts.logprob(ids[i + 1], logprobs.get(i), offsets[i + 1]));
        }
        return new PromptRead(text, told);
    }
}
