package io.idefics.web.tgi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assertions.assertTimeout;

import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.idefics.generation.ContentPart;
import io.idefics.generation.ContentPart.ImageRef;
import io.idefics.generation.ContentPart.Text;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.web.JsonField;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class InputsTest {

    private static final int MAX_IMAGES = 4;

    @Test
    void parts_pictures_standBetweenTheTextsAsTheyAre() {
        assertThat(
                        parts(
                                " User:![](https://a.org/b.png)What?<end_of_utterance> \nAssistant: ![](data:image/png;base64,AA==)"))
                .containsExactly(
                        new Text(" User:"),
                        image("https://a.org/b.png"),
                        new Text("What?<end_of_utterance> \nAssistant: "),
                        image("data:image/png;base64,AA=="));
        assertThat(parts("![](http://a/1)![](http://a/2)")).containsExactly(image("http://a/1"), image("http://a/2"));
        assertThat(parts("plain")).containsExactly(new Text("plain"));
    }

    @Test
    void parts_parentheses_closeAtTheOneThatBalances() {
        Map<String, List<ContentPart>> expected = new TreeMap<>(Map.of(
                "![](http://a/b_(c).png)d", List.of(image("http://a/b_(c).png"), new Text("d")),
                "![](http://a/(b)(c(d)))", List.of(image("http://a/(b)(c(d))")),
                "![](http://a/(b) and (c)", List.of(image("http://a/(b"), new Text(" and (c)")),
                "![](http://a/b)) c", List.of(image("http://a/b"), new Text(") c")),
                "![](data:image/png;base64,AA(A)=)", List.of(image("data:image/png;base64,AA(A"), new Text("=)"))));

        expected.forEach((text, parts) -> assertThat(parts(text)).as(text).isEqualTo(parts));
    }

    @ParameterizedTest
    @ValueSource(strings = {"![](http://a/b", "![](data:", "![alt](http://a/b)", "[](http://a/b)", "! [](http://a)"})
    void parts_noPicture_isText(String text) {
        assertThat(parts(text)).containsExactly(new Text(text));
    }

    @Test
    void parts_otherScheme_isRefused() {
        assertRefused("a ![](file:///etc/passwd) b", ErrorType.INVALID_IMAGE_URL, "'file:///etc/passwd'");
        assertRefused("![]()", ErrorType.INVALID_IMAGE_URL, "''");
        assertRefused("![](picture.png)", ErrorType.INVALID_IMAGE_URL, "'picture.png'");
    }

    @Test
    void read_tooManyPictures_isRefused() {
        assertThat(parts("![](http://a)".repeat(MAX_IMAGES))).hasSize(MAX_IMAGES);

        assertRefused("![](http://a)".repeat(MAX_IMAGES + 1), ErrorType.INVALID_VALUE, "more than 4 pictures");
    }

    @Test
    void read_nothingOrNoString_isRefused() {
        assertRefused("", ErrorType.INVALID_VALUE, "`inputs` cannot be empty");
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> Inputs.read(new JsonField(IntNode.valueOf(1), "inputs"), MAX_IMAGES))
                .withMessage("inputs is 1 but must be a string.");
    }

    @Test
    void read_sixtyMegabytes_takesLinearTime() {
        String data = "data:image/png;base64," + "(".repeat(30 << 20);
        String opened = "![](http://(".repeat((30 << 20) / 12);

        assertTimeout(Duration.ofSeconds(20), () -> {
            assertThat(parts("![](" + data + ")")).containsExactly(image(data));
            assertThat(parts(opened)).hasSize(1);
        });
    }

    @Test
    void pieces_all_coverTheTextWithoutGaps() {
        Inputs inputs = read("a![](http://b)c![](http://d)");

        assertThat(inputs.pieces()).extracting(Inputs.Piece::start).containsExactly(0, 1, 14, 15);
        assertThat(inputs.pieces()).extracting(Inputs.Piece::end).containsExactly(1, 14, 15, 28);
        assertThat(Inputs.plain("![](x)").pieces()).containsExactly(new Inputs.Piece(0, 6, false));
    }

    private static void assertRefused(String text, ErrorType type, String message) {
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> read(text))
                .withMessageContaining(message)
                .satisfies(failure -> {
                    assertThat(failure.type()).isEqualTo(type);
                    assertThat(failure.param()).isEqualTo("inputs");
                });
    }

    private static List<ContentPart> parts(String text) {
        return read(text).parts("inputs");
    }

    private static Inputs read(String text) {
        return Inputs.read(new JsonField(TextNode.valueOf(text), "inputs"), MAX_IMAGES);
    }

    private static ImageRef image(String url) {
        return new ImageRef(url, "inputs");
    }
}
