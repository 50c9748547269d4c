package io.idefics.web.tgi;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.TextNode;
import io.idefics.service.RenderedPrompt.Token;
import io.idefics.web.JsonField;
import java.util.List;
import org.junit.jupiter.api.Test;

class TokenOffsetsTest {

    @Test
    void of_picture_isWhatWasWritten() {
        Inputs inputs = Inputs.read(
                new JsonField(TextNode.valueOf("User: ![](http://a/b)  hi<end_of_utterance>"), "inputs"), 1);

        List<SimpleToken> tokens = TokenOffsets.of(
                List.of(
                        special(1, "<s>"),
                        word(2, " User"),
                        word(3, ":"),
                        special(32000, "<fake_token_around_image>"),
                        special(32001, "<image>"),
                        special(32000, "<fake_token_around_image>"),
                        word(4, " hi"),
                        special(32002, "<end_of_utterance>")),
                inputs);

        assertThat(tokens)
                .containsExactly(
                        new SimpleToken(1, "<s>", 0, 0),
                        new SimpleToken(2, "User", 0, 4),
                        new SimpleToken(3, ":", 4, 5),
                        new SimpleToken(32000, "<fake_token_around_image>", 5, 5),
                        new SimpleToken(32001, "![](http://a/b)", 6, 21),
                        new SimpleToken(32000, "<fake_token_around_image>", 21, 21),
                        new SimpleToken(4, "hi", 23, 25),
                        new SimpleToken(32002, "<end_of_utterance>", 25, 43));
    }

    @Test
    void of_bytes_areCountedInUtf8() {
        List<SimpleToken> tokens = TokenOffsets.of(
                List.of(word(1, " ä"), word(2, "\\xc3"), word(3, "\\xa9"), word(4, "\n"), word(5, "\\xc3")),
                Inputs.plain("äé\n\\xc3"));

        assertThat(tokens)
                .containsExactly(
                        new SimpleToken(1, "ä", 0, 2),
                        new SimpleToken(2, "\uFFFD", 2, 3),
                        new SimpleToken(3, "\uFFFD", 3, 4),
                        new SimpleToken(4, "\n", 4, 5),
                        new SimpleToken(5, "\\xc3", 5, 9));
    }

    @Test
    void of_tokenThatWasNotWritten_hasNoLength() {
        assertThat(TokenOffsets.of(List.of(word(1, "x"), word(2, "a")), Inputs.plain("a")))
                .containsExactly(new SimpleToken(1, "x", 0, 0), new SimpleToken(2, "a", 0, 1));
        assertThat(TokenOffsets.of(List.of(special(1, "<image>")), Inputs.plain("")))
                .containsExactly(new SimpleToken(1, "<image>", 0, 0));
    }

    private static Token word(int id, String text) {
        return new Token(id, text, false);
    }

    private static Token special(int id, String name) {
        return new Token(id, name, true);
    }
}
