package io.idefics.web.tgi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.generation.ContentPart;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.OutputFormat;
import io.idefics.generation.OutputOptions;
import io.idefics.generation.Prompt;
import io.idefics.generation.SamplingParams;
import io.idefics.generation.StoppingCriteria;
import io.idefics.testing.Settings;
import io.idefics.web.GenerationProperties;
import io.idefics.web.ScriptedCompletionService;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GenerateRequestReaderTest {

    private static final ObjectMapper JSON = new ObjectMapper();

    private final GenerateRequestReader reader = new GenerateRequestReader(
            new ScriptedCompletionService(),
            new GenerationProperties(0, 8, 32),
            Settings.web("max-images=2", "max-text-characters=1000"));

    @Test
    void read_emptyParameters_isGreedyUntilTheEnd() {
        GenerateRequest request = parameters("");

        assertThat(request.generation().model()).isEqualTo(ScriptedCompletionService.MODEL);
        assertThat(request.generation().prompt())
                .isEqualTo(new Prompt.Interleaved(
                        List.of(new ContentPart.Text("a")), false, OptionalInt.empty(), "inputs"));
        assertThat(request.generation().sampling()).isEqualTo(SamplingParams.GREEDY);
        assertThat(request.generation().stopping())
                .isEqualTo(new StoppingCriteria(
                        OptionalInt.empty(), OptionalInt.empty(), 0, false, List.of(), Set.of(), true));
        assertThat(request.generation().output()).isEqualTo(OutputOptions.ONE);
        assertThat(request.fullText()).isFalse();
        assertThat(request.details()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"{\"inputs\":\"a\"}", "{\"inputs\":\"a\",\"parameters\":null}"})
    void read_noParameters_draws(String body) {
        SamplingParams sampling = read(body, false).generation().sampling();

        assertThat(sampling.temperature()).isEqualTo(1);
        assertThat(sampling.seed()).isPresent();
    }

    @Test
    void read_everything_isTaken() {
        GenerateRequest request = parameters(
                """
                "best_of":null,"temperature":0.5,"repetition_penalty":1.2,"frequency_penalty":-0.5,"top_k":3,"top_p":0.9,
                "typical_p":0.8,"do_sample":true,"max_new_tokens":7,"return_full_text":true,"stop":["x","y"],"truncate":5,
                "watermark":false,"details":true,"decoder_input_details":true,"seed":42,"top_n_tokens":4,"adapter_id":null,
                "grammar":{"type":"regex","value":"a+"},"unknown":1""");

        assertThat(request.generation().sampling())
                .isEqualTo(new SamplingParams(0.5, 0.9, 3, 0, 0.8, 1.2, 0, -0.5, Map.of(), OptionalLong.of(42)));
        assertThat(request.generation().stopping())
                .isEqualTo(new StoppingCriteria(
                        OptionalInt.of(7), OptionalInt.empty(), 0, false, List.of("x", "y"), Set.of(), true));
        assertThat(request.generation().output())
                .isEqualTo(new OutputOptions(
                        1, 1, 4, true, new OutputFormat.Regex("a+", "parameters.grammar.value"), List.of()));
        assertThat(((Prompt.Interleaved) request.generation().prompt()).truncateTo())
                .hasValue(5);
        assertThat(request.fullText()).isTrue();
        assertThat(request.details()).isTrue();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"do_sample\":true|1",
                "\"temperature\":0.5|0.5",
                "\"temperature\":1|0",
                "\"temperature\":7,\"do_sample\":false|7",
                "\"top_k\":1|1",
                "\"top_p\":0.5|1",
                "\"typical_p\":0.5|1",
                "\"repetition_penalty\":2|0",
                "\"frequency_penalty\":1,\"seed\":3|0",
                "\"best_of\":2,\"temperature\":1|1"
            })
    void read_anyWordOnSampling_draws(String fields, double temperature) {
        SamplingParams sampling = parameters(fields).generation().sampling();

        assertThat(sampling.temperature()).isEqualTo(temperature);
        assertThat(sampling.seed().isPresent()).isEqualTo(temperature > 0);
    }

    @Test
    void read_drawnSeeds_areExactInEveryJsonParserAndDiffer() {
        List<Long> seeds = IntStream.range(0, 50)
                .mapToObj(i -> parameters("\"do_sample\":true")
                        .generation()
                        .sampling()
                        .seed()
                        .orElseThrow())
                .toList();

        assertThat(seeds).allMatch(seed -> seed >= 0 && seed < 1L << 53).doesNotHaveDuplicates();
    }

    @Test
    void read_whatIsToldOfTokens_isAskedForOnlyWhereItIsNeeded() {
        assertThat(parameters("\"top_n_tokens\":5").generation().output().topLogprobs())
                .isEqualTo(-1);
        assertThat(parameters("\"details\":true").generation().output().topLogprobs())
                .isZero();
        assertThat(parameters("\"details\":true,\"top_n_tokens\":5")
                        .generation()
                        .output()
                        .topLogprobs())
                .isEqualTo(5);
        assertThat(read("{\"inputs\":\"a\"}", true).generation().output().topLogprobs())
                .isZero();
        OutputOptions best =
                parameters("\"best_of\":3,\"do_sample\":true").generation().output();
        assertThat(List.of(best.choices(), best.bestOf(), best.topLogprobs())).containsExactly(3, 3, 0);
        GenerateRequest prefill = parameters("\"decoder_input_details\":true");
        assertThat(prefill.details()).isTrue();
        assertThat(prefill.generation().output().echo()).isTrue();
    }

    @Test
    void read_grammars_areTheFormsOfTheAnswer() {
        String path = "parameters.grammar.value";
        String schema = "{\"properties\":{\"a\":{\"type\":\"string\"}}}";

        assertThat(grammar("json", schema)).isEqualTo(new OutputFormat.JsonSchema(schema, false, path));
        assertThat(grammar("json_object", schema)).isEqualTo(new OutputFormat.JsonSchema(schema, false, path));
        assertThat(grammar("json", "\"{}\"")).isEqualTo(new OutputFormat.JsonSchema("{}", false, path));
        assertThat(grammar("json_object", "null")).isEqualTo(new OutputFormat.JsonObject());
        assertThat(grammar("json_schema", "{\"name\":\"n\",\"schema\":" + schema + "}"))
                .isEqualTo(new OutputFormat.JsonSchema(schema, false, path + ".schema"));
        assertThat(parameters("\"grammar\":null").generation().output().format())
                .isEqualTo(new OutputFormat.Text());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"temperature\":0|parameters.temperature is 0 but must be above 0 and at most 100.",
                "\"temperature\":-1|parameters.temperature is -1 but must lie between 0 and 100.",
                "\"temperature\":\"1\"|parameters.temperature is '1' but must be a number.",
                "\"repetition_penalty\":0|parameters.repetition_penalty is 0 but must be above 0 and at most 100.",
                "\"frequency_penalty\":2.1|parameters.frequency_penalty is 2.1 but must lie between -2 and 2.",
                "\"top_k\":0|parameters.top_k is 0 but must lie between 1 and 2147483647.",
                "\"top_p\":0|parameters.top_p is 0 but must be above 0 and below 1.",
                "\"top_p\":1|parameters.top_p is 1 but must be above 0 and below 1.",
                "\"typical_p\":1.0|parameters.typical_p is 1.0 but must be above 0 and below 1.",
                "\"do_sample\":1|parameters.do_sample is 1 but must be true or false.",
                "\"max_new_tokens\":0|parameters.max_new_tokens is 0 but must lie between 1 and 2147483647.",
                "\"truncate\":0|parameters.truncate is 0 but must lie between 1 and 2147483647.",
                "\"seed\":-1|parameters.seed is -1 but must lie between 0 and 9223372036854775807.",
                "\"top_n_tokens\":21|parameters.top_n_tokens is 21 but must lie between 0 and 20.",
                "\"stop\":\"x\"|parameters.stop is 'x' but must be an array of strings.",
                "\"stop\":[\"\"]|parameters.stop[0] is '' but must be 1 to 1000 characters long.",
                "\"best_of\":0|`best_of` must be > 0 and <= 8. Given: 0",
                "\"best_of\":9,\"do_sample\":true|`best_of` must be > 0 and <= 8. Given: 9",
                "\"best_of\":2|you must use sampling when `best_of` is > 1",
                "\"best_of\":2,\"do_sample\":true,\"seed\":1|`seed` must not be set when `best_of` > 1",
                "\"watermark\":true|parameters.watermark is true: answers cannot be watermarked.",
                "\"adapter_id\":\"x\"|parameters.adapter_id is 'x': no adapters are served.",
                "\"grammar\":{\"type\":\"x\"}|parameters.grammar.type is 'x' but must be 'json', 'json_object', 'json_schema' or 'regex'.",
                "\"grammar\":{\"type\":\"json\"}|parameters.grammar.value is missing but must be an object.",
                "\"grammar\":{\"type\":\"regex\",\"value\":1}|parameters.grammar.value is 1 but must be a string."
            })
    void read_mistake_isNamed(String fields, String message) {
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> parameters(fields))
                .withMessage(message)
                .satisfies(failure -> assertThat(failure.param()).startsWith("parameters."));
    }

    @Test
    void read_moreStopsThanAllowed_isRefused() {
        assertThat(parameters("\"stop\":[" + "\"x\",".repeat(15) + "\"x\"]")
                        .generation()
                        .stopping()
                        .stop())
                .hasSize(16);
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> parameters("\"stop\":[" + "\"x\",".repeat(16) + "\"x\"]"))
                .withMessageContaining("17 elements");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"best_of\":2,\"do_sample\":true|`best_of` != 1 is not supported when streaming tokens",
                "\"decoder_input_details\":true|`decoder_input_details` == true is not supported when streaming tokens"
            })
    void read_streamThatCannotBe_isRefused(String fields, String message) {
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> read("{\"inputs\":\"a\",\"parameters\":{" + fields + "}}", true))
                .withMessage(message);
        assertThat(read("{\"inputs\":\"a\",\"parameters\":{\"best_of\":1}}", true))
                .isNotNull();
    }

    @Test
    void read_model_choosesAmongThem() {
        assertThat(read("{\"inputs\":\"a\",\"model\":\"other\"}", false)
                        .generation()
                        .model())
                .isEqualTo("other");
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> read("{\"inputs\":\"a\",\"model\":\"nope\"}", false))
                .satisfies(failure -> assertThat(failure.type()).isEqualTo(ErrorType.MODEL_NOT_FOUND));
    }

    @Test
    void read_pictures_areLimited() {
        assertThat(read("{\"inputs\":\"![](http://a)\"}", false)
                        .generation()
                        .prompt()
                        .images())
                .containsExactly(new ContentPart.ImageRef("http://a", "inputs"));
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> read("{\"inputs\":\"![](http://a)![](http://a)![](http://a)\"}", false));
    }

    private OutputFormat grammar(String type, String value) {
        return parameters("\"grammar\":{\"type\":\"" + type + "\",\"value\":" + value + "}")
                .generation()
                .output()
                .format();
    }

    private GenerateRequest parameters(String fields) {
        return read("{\"inputs\":\"a\",\"parameters\":{" + fields + "}}", false);
    }

    private GenerateRequest read(String body, boolean stream) {
        try {
            return reader.read(JSON.readTree(body), stream);
        } catch (IOException e) {
            throw new UncheckedIOException(body, e);
        }
    }
}
