package io.idefics.web.openai;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.generation.TokenLogprob;
import io.idefics.generation.TokenLogprob.Candidate;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TextLogprobsTest {

    private static final Candidate BYTE = new Candidate(13, "\n", List.of(10), -2);
    private static final Candidate PIECE = new Candidate(30_004, "\n", List.of(10), -0.5);
    private static final Candidate OTHER = new Candidate(7, "\n", List.of(10), -3);

    @Test
    void of_chosenTokenAmongTheTop_isToldOnce() {
        TextLogprobs told = TextLogprobs.of(List.of(new TokenLogprob(PIECE, List.of(PIECE), 4)), false);

        assertThat(told.tokens()).containsExactly("\n");
        assertThat(told.tokenLogprobs()).containsExactly(-0.5);
        assertThat(told.topLogprobs()).containsExactly(Map.of("\n", -0.5));
        assertThat(told.textOffset()).containsExactly(4);
    }

    @Test
    void of_chosenTokenNotAmongTheTop_comesLast() {
        Candidate likelier = new Candidate(5, "a", List.of(97), -0.25);

        TextLogprobs told = TextLogprobs.of(List.of(new TokenLogprob(PIECE, List.of(likelier), 0)), false);

        assertThat(told.topLogprobs().get(0)).containsExactly(Map.entry("a", -0.25), Map.entry("\n", -0.5));
    }

    @Test
    void of_tokensOfTheSameText_keepsTheChosenOnesNameAndLosesNone() {
        TextLogprobs told = TextLogprobs.of(List.of(new TokenLogprob(BYTE, List.of(PIECE, BYTE, OTHER), 0)), false);

        assertThat(told.topLogprobs().get(0))
                .containsExactly(
                        Map.entry("token_id:30004", -0.5), Map.entry("\n", -2.0), Map.entry("token_id:7", -3.0));
    }

    @Test
    void of_othersOfTheSameText_areBothTold() {
        Candidate chosen = new Candidate(5, "a", List.of(97), -4);

        TextLogprobs told = TextLogprobs.of(List.of(new TokenLogprob(chosen, List.of(PIECE, BYTE), 0)), false);

        assertThat(told.topLogprobs().get(0))
                .containsExactly(Map.entry("\n", -0.5), Map.entry("token_id:13", -2.0), Map.entry("a", -4.0));
    }

    @Test
    void of_idsAsTokens_namesAllByTheirIds() {
        TextLogprobs told = TextLogprobs.of(List.of(new TokenLogprob(BYTE, List.of(PIECE), 0)), true);

        assertThat(told.tokens()).containsExactly("token_id:13");
        assertThat(told.topLogprobs().get(0))
                .containsExactly(Map.entry("token_id:30004", -0.5), Map.entry("token_id:13", -2.0));
    }

    @Test
    void of_firstTokenOfAPrompt_hasNoLogprob() {
        Candidate bos = new Candidate(1, "<s>", null, Double.NaN);

        TextLogprobs told = TextLogprobs.of(List.of(new TokenLogprob(bos, List.of(), 0)), false);

        assertThat(told.tokens()).containsExactly("<s>");
        assertThat(told.tokenLogprobs()).isEqualTo(Collections.singletonList(null));
        assertThat(told.topLogprobs()).isEqualTo(Collections.singletonList(null));
    }

    @Test
    void of_impossibleToken_isVeryUnlikely() {
        Candidate impossible = new Candidate(9, "x", List.of(120), Double.NEGATIVE_INFINITY);

        TextLogprobs told = TextLogprobs.of(List.of(new TokenLogprob(impossible, List.of(), 0)), false);

        assertThat(told.tokenLogprobs()).containsExactly(-9999.0);
        assertThat(told.topLogprobs()).containsExactly(Map.of("x", -9999.0));
    }
}
