package io.idefics.web.tgi;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.generation.TokenLogprob;
import io.idefics.generation.TokenLogprob.Candidate;
import io.idefics.web.tgi.TokenTexts.Told;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class TokenTextsTest {

    private final TokenTexts texts = new TokenTexts(0);

    @Test
    void certain_wholeTokens_areToldAtOnce() {
        texts.append(" A", List.of(token(" A", 0)));
        assertThat(told(texts.certain())).containsExactly(" A");

        texts.append(" red", List.of(token(" red", 2)));
        assertThat(told(texts.certain())).containsExactly(" red");
        assertThat(texts.rest()).isEmpty();
        assertThat(texts.text()).isEqualTo(" A red");
    }

    @Test
    void certain_textHeldBack_waitsForTheRest() {
        texts.append(" phot", List.of(token(" photograph", 0)));
        assertThat(texts.certain()).isEmpty();

        texts.append("ograph.", List.of(token(".", 11)));
        assertThat(told(texts.certain())).containsExactly(" photograph", ".");
    }

    @Test
    void rest_tokenCutOff_hasTheTextThatWasGiven() {
        texts.append(" phot", List.of(token(" photograph", 0)));

        assertThat(told(texts.rest())).containsExactly(" phot");
    }

    @Test
    void certain_bytesOfOneCharacter_goToTheLast() {
        texts.append(
                "é🟥!",
                List.of(
                        bytes(0xc3, 0),
                        bytes(0xa9, 0),
                        bytes(0xf0, 0),
                        bytes(0x9f, 0),
                        bytes(0x9f, 0),
                        bytes(0xa5, 0),
                        token("!", 2)));

        assertThat(told(texts.certain())).containsExactly("", "", "", "", "", "é🟥", "!");
    }

    @Test
    void certain_bytesAtTheEnd_waitForWhatFollows() {
        texts.append("é", List.of(bytes(0xc3, 0), bytes(0xa9, 0)));
        assertThat(told(texts.certain())).containsExactly("");

        texts.append("\n", List.of());
        assertThat(texts.certain()).isEmpty();
        assertThat(told(texts.rest())).containsExactly("é\n");
    }

    @Test
    void certain_specialTokens_haveTheirNamesAndNoText() {
        texts.append("ab", List.of(token("a", 0), special("<unk>", 1), token("b", 1)));

        List<Told> told = texts.certain();

        assertThat(told(told)).containsExactly("a", "<unk>", "b");
        assertThat(told.stream().map(Told::token).map(Token::special)).containsExactly(false, true, false);
    }

    @Test
    void rest_textBefore_isPassedOver() {
        TokenTexts after = new TokenTexts(7);
        after.append("🟥b", List.of(token("🟥", 7), token("b", 8)));

        assertThat(told(after.rest())).containsExactly("🟥", "b");
    }

    @Test
    void endsWith_text_looksAtItsEnd() {
        texts.append("ab", List.of());

        assertThat(texts.endsWith("b")).isTrue();
        assertThat(texts.endsWith("ab")).isTrue();
        assertThat(texts.endsWith("a")).isFalse();
        assertThat(texts.endsWith("cab")).isFalse();
    }

    @Test
    void token_noNumber_isNull() {
        assertThat(Token.of(new Candidate(1, "a", List.of(97), Double.NEGATIVE_INFINITY))
                        .logprob())
                .isNull();
        assertThat(Token.of(new Candidate(1, "a", List.of(97), -0.5)).logprob()).isEqualTo(-0.5);
    }

    private static List<String> told(List<Told> told) {
        return told.stream().map(Told::text).toList();
    }

    private static TokenLogprob token(String text, int offset) {
        List<Integer> bytes = new ArrayList<>();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            bytes.add(Byte.toUnsignedInt(b));
        }
        return new TokenLogprob(new Candidate(1, text, bytes, -1), List.of(), offset);
    }

    private static TokenLogprob bytes(int value, int offset) {
        return new TokenLogprob(new Candidate(2, "\\x%02x".formatted(value), List.of(value), -1), List.of(), offset);
    }

    private static TokenLogprob special(String name, int offset) {
        return new TokenLogprob(new Candidate(3, name, null, -1), List.of(), offset);
    }
}
