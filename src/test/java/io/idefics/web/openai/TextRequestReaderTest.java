package io.idefics.web.openai;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.generation.ContentPart;
import io.idefics.generation.ContentPart.ImageRef;
import io.idefics.generation.ContentPart.Text;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.OutputFormat;
import io.idefics.generation.Prompt;
import io.idefics.generation.SamplingParams;
import io.idefics.generation.StoppingCriteria;
import io.idefics.testing.Settings;
import io.idefics.web.GenerationProperties;
import io.idefics.web.ScriptedCompletionService;
import java.io.IOException;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TextRequestReaderTest {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String PICTURE = "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://a.b/c.png\"}}";

    private final TextRequestReader reader = new TextRequestReader(
            new ScriptedCompletionService(),
            new GenerationProperties(0, 8, 4),
            Settings.web("max-images=2", "max-text-characters=1000"));

    @Test
    void read_promptOnly_takesDefaults() {
        TextCompletionRequest request = read("\"prompt\":\"User: hi\"");

        assertThat(request.stream()).isFalse();
        assertThat(request.includeUsage()).isFalse();
        assertThat(request.idsAsTokens()).isFalse();
        GenerationRequest generation = only(request);
        assertThat(generation.model()).isEqualTo(ScriptedCompletionService.MODEL);
        assertThat(generation.prompt())
                .isEqualTo(new Prompt.Interleaved(List.of(new Text("User: hi")), false, OptionalInt.empty(), "prompt"));
        assertThat(generation.sampling()).isEqualTo(SamplingParams.GREEDY);
        assertThat(generation.stopping()).isEqualTo(new StoppingCriteria(OptionalInt.of(16), 0, List.of()));
        assertThat(generation.output().choices()).isEqualTo(1);
        assertThat(generation.output().bestOf()).isEqualTo(1);
        assertThat(generation.output().topLogprobs()).isEqualTo(-1);
        assertThat(generation.output().echo()).isFalse();
    }

    @Test
    void read_everything_carriesEachValue() {
        TextCompletionRequest request = read(
                """
                "prompt":["a"],"model":"other","max_tokens":7,"max_length":90,"min_tokens":5,"ignore_eos":true,
                "stop":["x"],"stop_token_ids":[3],"include_stop_str_in_output":true,"n":2,"best_of":3,"logprobs":20,
                "echo":true,"suffix":"","add_end_of_utterance_token":true,"truncate_prompt_tokens":6,
                "return_tokens_as_token_ids":true,"bad_words":["<image>"],"user":"u","unknown":1""");

        assertThat(request.idsAsTokens()).isTrue();
        GenerationRequest generation = only(request);
        assertThat(generation.model()).isEqualTo("other");
        assertThat(generation.prompt())
                .isEqualTo(new Prompt.Interleaved(List.of(new Text("a")), true, OptionalInt.of(6), "prompt[0]"));
        assertThat(generation.stopping())
                .isEqualTo(new StoppingCriteria(
                        OptionalInt.of(7), OptionalInt.of(90), 5, true, List.of("x"), Set.of(3), true));
        assertThat(generation.output().choices()).isEqualTo(2);
        assertThat(generation.output().bestOf()).isEqualTo(3);
        assertThat(generation.output().topLogprobs()).isEqualTo(20);
        assertThat(generation.output().echo()).isTrue();
        assertThat(generation.output().badWords()).containsExactly("<image>");
    }

    @Test
    void read_stream_carriesItsOptions() {
        TextCompletionRequest request =
                read("\"prompt\":\"a\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"best_of\":1");

        assertThat(request.stream()).isTrue();
        assertThat(request.includeUsage()).isTrue();
    }

    @Test
    void read_maxLengthAlone_leavesTheNumberOfTokensOpen() {
        assertThat(only(read("\"prompt\":\"a\",\"max_length\":100")).stopping().maxTokens())
                .isEmpty();
    }

    @Test
    void read_noTokensWithEcho_areAllowed() {
        assertThat(only(read("\"prompt\":\"a\",\"max_tokens\":0,\"echo\":true"))
                        .stopping()
                        .maxTokens())
                .hasValue(0);
    }

    @Test
    void read_guidedRegex_isTheFormat() {
        assertThat(only(read("\"prompt\":\"a\",\"guided_regex\":\"[0-9]\""))
                        .output()
                        .format())
                .isEqualTo(new OutputFormat.Regex("[0-9]", "guided_regex"));
    }

    @Test
    void read_partsOfContent_areOnePrompt() {
        List<Prompt> prompts = prompts("[{\"type\":\"text\",\"text\":\"User:\"}," + PICTURE
                + ",{\"type\":\"image_url\",\"image_url\":\"https://a.b/d.png\"}]");

        assertThat(prompts)
                .containsExactly(interleaved(
                        "prompt",
                        new Text("User:"),
                        new ImageRef("https://a.b/c.png", "prompt[1].image_url.url"),
                        new ImageRef("https://a.b/d.png", "prompt[2].image_url")));
    }

    @Test
    void read_stringsAndParts_areOnePrompt() {
        assertThat(prompts("[\"User:\"," + PICTURE + ",\"\\nAssistant:\"]"))
                .containsExactly(interleaved(
                        "prompt",
                        new Text("User:"),
                        new ImageRef("https://a.b/c.png", "prompt[1].image_url.url"),
                        new Text("\nAssistant:")));
    }

    @Test
    void read_strings_areABatchOfTexts() {
        assertThat(prompts("[\"a\",\"https://a.b/c.png\"]"))
                .containsExactly(
                        interleaved("prompt[0]", new Text("a")),
                        interleaved("prompt[1]", new Text("https://a.b/c.png")));
    }

    @Test
    void read_mixture_isABatch() {
        assertThat(prompts("[\"a\",[" + PICTURE + "],[5,6]]"))
                .containsExactly(
                        interleaved("prompt[0]", new Text("a")),
                        interleaved("prompt[1]", new ImageRef("https://a.b/c.png", "prompt[1][0].image_url.url")),
                        new Prompt.TokenIds(List.of(5, 6), "prompt[2]"));
    }

    @Test
    void read_stringsOfAPromptInABatch_arePicturesWhereTheyAreUrls() {
        assertThat(prompts("[[\"What is https://a.b/c.png ?\",\" https://a.b/c.png \",\"data:image/png;base64,AA==\","
                        + "\"ftp://a.b/c\"]]"))
                .containsExactly(interleaved(
                        "prompt[0]",
                        new Text("What is https://a.b/c.png ?"),
                        new ImageRef("https://a.b/c.png", "prompt[0][1]"),
                        new ImageRef("data:image/png;base64,AA==", "prompt[0][2]"),
                        new Text("ftp://a.b/c")));
    }

    @Test
    void read_ids_areOnePromptAndListsOfThemABatch() {
        assertThat(prompts("[1,0,32001]")).containsExactly(new Prompt.TokenIds(List.of(1, 0, 32001), "prompt"));
        assertThat(prompts("[[1],[2,3]]"))
                .containsExactly(
                        new Prompt.TokenIds(List.of(1), "prompt[0]"), new Prompt.TokenIds(List.of(2, 3), "prompt[1]"));
    }

    @Test
    void read_idsTruncated_keepsTheLast() {
        assertThat(read("\"prompt\":[[1,2,3],[4]],\"truncate_prompt_tokens\":2").generations())
                .extracting(GenerationRequest::prompt)
                .containsExactly(
                        new Prompt.TokenIds(List.of(2, 3), "prompt[0]"), new Prompt.TokenIds(List.of(4), "prompt[1]"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{}|prompt",
                "'\"prompt\":null'|prompt",
                "'\"prompt\":5'|prompt",
                "'\"prompt\":{}'|prompt",
                "'\"prompt\":[]'|prompt",
                "'\"prompt\":[\"1\",\"2\",\"3\",\"4\",\"5\"]'|prompt",
                "'\"prompt\":[[]]'|prompt[0]",
                "'\"prompt\":[null]'|prompt[0]",
                "'\"prompt\":[1,-1]'|prompt[1]",
                "'\"prompt\":[1,2147483648]'|prompt[1]",
                "'\"prompt\":[1.5]'|prompt[0]",
                "'\"prompt\":[1,\"a\"]'|prompt[1]",
                "'\"prompt\":[\"a\",1]'|prompt[1]",
                "'\"prompt\":[[1],[\"a\",[1]]]'|prompt[1][1]",
                "'\"prompt\":[{\"type\":\"text\",\"text\":\"a\"},[\"a\"]]'|prompt[1]",
                "'\"prompt\":[{\"type\":\"text\"}]'|prompt[0].text",
                "'\"prompt\":[{\"type\":\"audio\"}]'|prompt[0].type",
                "'\"prompt\":[{\"type\":\"refusal\",\"refusal\":\"a\"}]'|prompt[0].type",
                "'\"prompt\":[[{\"type\":\"image_url\",\"image_url\":{\"url\":\"\"}}]]'|prompt[0][0].image_url.url",
                "'\"prompt\":[[\"http://a\",\"http://b\"],[\"http://c\"]]'|prompt",
                "'\"prompt\":\"a\",\"max_tokens\":0'|max_tokens",
                "'\"prompt\":\"a\",\"max_tokens\":-1,\"echo\":true'|max_tokens",
                "'\"prompt\":\"a\",\"max_length\":0'|max_length",
                "'\"prompt\":\"a\",\"min_tokens\":17'|min_tokens",
                "'\"prompt\":\"a\",\"n\":9'|n",
                "'\"prompt\":\"a\",\"n\":3,\"best_of\":2'|best_of",
                "'\"prompt\":\"a\",\"best_of\":9'|best_of",
                "'\"prompt\":\"a\",\"best_of\":2,\"stream\":true'|best_of",
                "'\"prompt\":\"a\",\"logprobs\":21'|logprobs",
                "'\"prompt\":\"a\",\"logprobs\":true'|logprobs",
                "'\"prompt\":\"a\",\"echo\":1'|echo",
                "'\"prompt\":\"a\",\"suffix\":\"b\"'|suffix",
                "'\"prompt\":\"a\",\"add_end_of_utterance_token\":\"no\"'|add_end_of_utterance_token",
                "'\"prompt\":\"a\",\"truncate_prompt_tokens\":0'|truncate_prompt_tokens",
                "'\"prompt\":\"a\",\"bad_words\":[\"b\"],\"guided_choice\":[\"c\"]'|bad_words",
                "'\"prompt\":\"a\",\"stream_options\":5'|stream_options",
                "'\"prompt\":\"a\",\"model\":\"nope\"'|model"
            })
    void read_wrongValue_isRefusedByName(String fields, String param) {
        assertThatThrownBy(() -> read(fields.equals("{}") ? "" : fields))
                .isInstanceOfSatisfying(GenerationException.class, e -> {
                    assertThat(e.param()).isEqualTo(param);
                    assertThat(e.type())
                            .isIn(ErrorType.INVALID_VALUE, ErrorType.UNSUPPORTED_PARAMETER, ErrorType.MODEL_NOT_FOUND);
                    assertThat(e.getMessage()).isNotBlank();
                });
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "model",
                "max_tokens",
                "max_length",
                "n",
                "best_of",
                "logprobs",
                "echo",
                "suffix",
                "stop",
                "stream",
                "stream_options",
                "add_end_of_utterance_token",
                "truncate_prompt_tokens",
                "return_tokens_as_token_ids",
                "bad_words",
                "response_format",
                "structured_outputs",
                "seed",
                "logit_bias"
            })
    void read_explicitNull_isAsAbsent(String field) {
        assertThat(read("\"prompt\":\"a\",\"" + field + "\":null")).isEqualTo(read("\"prompt\":\"a\""));
    }

    private TextCompletionRequest read(String fields) {
        return reader.read(body(fields));
    }

    private List<Prompt> prompts(String prompt) {
        return read("\"prompt\":" + prompt).generations().stream()
                .map(GenerationRequest::prompt)
                .toList();
    }

    private static GenerationRequest only(TextCompletionRequest request) {
        assertThat(request.generations()).hasSize(1);
        return request.generations().get(0);
    }

    private static Prompt interleaved(String param, ContentPart... parts) {
        return new Prompt.Interleaved(List.of(parts), false, OptionalInt.empty(), param);
    }

    private static JsonNode body(String fields) {
        try {
            return JSON.readTree("{" + fields + "}");
        } catch (IOException e) {
            throw new AssertionError(fields, e);
        }
    }
}
