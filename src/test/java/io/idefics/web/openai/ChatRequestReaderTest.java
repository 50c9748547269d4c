package io.idefics.web.openai;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.generation.ContentPart;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Message;
import io.idefics.generation.Prompt;
import io.idefics.generation.Role;
import io.idefics.generation.SamplingParams;
import io.idefics.generation.StoppingCriteria;
import io.idefics.testing.Settings;
import io.idefics.web.GenerationProperties;
import io.idefics.web.ScriptedCompletionService;
import io.idefics.web.WebProperties;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ChatRequestReaderTest {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String USER = "{\"role\":\"user\",\"content\":\"hi\"}";

    private final ScriptedCompletionService service = new ScriptedCompletionService();
    private final ChatRequestReader reader = reader(0);

    @Test
    void read_messagesOnly_takesDefaults() {
        ChatCompletionRequest request = reader.read(body(""));

        assertThat(request.stream()).isFalse();
        assertThat(request.includeUsage()).isFalse();
        assertThat(request.generation().model()).isEqualTo(ScriptedCompletionService.MODEL);
        assertThat(messages(request)).containsExactly(new Message(Role.USER, List.of(new ContentPart.Text("hi"))));
        assertThat(request.generation().sampling()).isEqualTo(SamplingParams.GREEDY);
        assertThat(request.generation().stopping()).isEqualTo(new StoppingCriteria(OptionalInt.empty(), 0, List.of()));
        assertThat(request.generation().output().choices()).isEqualTo(1);
        assertThat(request.generation().output().topLogprobs()).isEqualTo(-1);
    }

    @Test
    void read_everything_carriesEachValue() {
        ChatCompletionRequest request = reader.read(
                body(
                        """
                ,"model":"other","max_tokens":7,"min_tokens":5,"n":8,"logprobs":true,"top_logprobs":20,"min_p":0.125,
                "typical_p":0.75,"temperature":0.5,"top_p":0.25,"top_k":3,"repetition_penalty":1.5,
                "presence_penalty":-2,"frequency_penalty":2,"logit_bias":{"0":-100,"31999":100},"seed":-5,
                "stop":["a","b"],"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}"""));

        assertThat(request.stream()).isTrue();
        assertThat(request.includeUsage()).isTrue();
        assertThat(request.generation().model()).isEqualTo("other");
        assertThat(request.generation().sampling())
                .isEqualTo(new SamplingParams(
                        0.5, 0.25, 3, 0.125, 0.75, 1.5, -2, 2, Map.of(0, -100.0, 31999, 100.0), OptionalLong.of(-5)));
        assertThat(request.generation().stopping())
                .isEqualTo(new StoppingCriteria(OptionalInt.of(7), 5, List.of("a", "b")));
        assertThat(request.generation().output().choices()).isEqualTo(8);
        assertThat(request.generation().output().topLogprobs()).isEqualTo(20);
    }

    @Test
    void read_configuredTemperature_holdsOnlyWhereNoneIsGiven() {
        assertThat(reader(0.7).read(body("")).generation().sampling().temperature())
                .isEqualTo(0.7);
        assertThat(reader(0.7)
                        .read(body(",\"temperature\":0"))
                        .generation()
                        .sampling()
                        .temperature())
                .isZero();
    }

    @Test
    void read_logprobsWithoutAlternatives_tellsTheTokensAlone() {
        assertThat(reader.read(body(",\"logprobs\":true")).generation().output().topLogprobs())
                .isZero();
    }

    @Test
    void read_bothTokenLimits_takesTheNewer() {
        assertThat(reader.read(body(",\"max_tokens\":7,\"max_completion_tokens\":9"))
                        .generation()
                        .stopping()
                        .maxTokens())
                .hasValue(9);
    }

    @Test
    void read_stopString_isAListOfOne() {
        assertThat(reader.read(body(",\"stop\":\"END\""))
                        .generation()
                        .stopping()
                        .stop())
                .containsExactly("END");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "model",
                "max_tokens",
                "max_completion_tokens",
                "temperature",
                "top_p",
                "top_k",
                "min_p",
                "typical_p",
                "min_tokens",
                "repetition_penalty",
                "presence_penalty",
                "frequency_penalty",
                "logit_bias",
                "seed",
                "stop",
                "stream",
                "stream_options",
                "n",
                "logprobs",
                "top_logprobs",
                "max_length",
                "ignore_eos",
                "stop_token_ids",
                "include_stop_str_in_output",
                "bad_words",
                "continue_final_message",
                "add_generation_prompt",
                "echo",
                "structured_outputs",
                "guided_json",
                "guided_regex",
                "guided_choice",
                "response_format",
                "tools",
                "tool_choice",
                "function_call",
                "modalities",
                "user",
                "metadata",
                "store",
                "service_tier",
                "parallel_tool_calls",
                "prediction",
                "reasoning_effort",
                "audio",
                "functions"
            })
    void read_explicitNull_isAsAbsent(String field) {
        assertThat(reader.read(body(",\"" + field + "\":null"))).isEqualTo(reader.read(body("")));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"user\":\"u\"",
                "\"user\":5",
                "\"metadata\":{\"a\":\"b\"}",
                "\"store\":true",
                "\"service_tier\":\"flex\"",
                "\"parallel_tool_calls\":false",
                "\"modalities\":[\"text\"]",
                "\"prediction\":{\"type\":\"content\"}",
                "\"reasoning_effort\":\"low\"",
                "\"verbosity\":\"low\"",
                "\"safety_identifier\":\"x\"",
                "\"prompt_cache_key\":\"x\"",
                "\"web_search_options\":{}",
                "\"n\":1",
                "\"logprobs\":false",
                "\"top_logprobs\":0",
                "\"response_format\":{\"type\":\"text\"}",
                "\"tools\":[{\"type\":\"function\"}]",
                "\"tools\":[],\"tool_choice\":\"auto\"",
                "\"tool_choice\":\"none\"",
                "\"function_call\":\"auto\"",
                "\"stop\":[]",
                "\"logit_bias\":{}",
                "\"stream_options\":{}",
                "\"stream_options\":{\"include_usage\":null}",
                "\"@class\":\"java.lang.Runtime\"",
                "\"unknown\":{\"deep\":[1]}",
                "\"temperature\":-0.0"
            })
    void read_fieldThatChangesNothing_isIgnored(String field) {
        ChatCompletionRequest request = reader.read(body("," + field));

        assertThat(messages(request)).isEqualTo(messages(reader.read(body(""))));
        assertThat(request.stream()).isFalse();
    }

    @Test
    void read_everyRole_isUnderstood() {
        JsonNode body = parse("{\"messages\":[{\"role\":\"developer\",\"content\":\"a\",\"name\":\"n\"},"
                + "{\"role\":\"system\",\"content\":\"b\"}," + USER + ",{\"role\":\"assistant\",\"content\":null},"
                + "{\"role\":\"assistant\",\"refusal\":null},"
                + "{\"role\":\"assistant\",\"content\":[{\"type\":\"refusal\",\"refusal\":\"no\"}]}]}");

        assertThat(messages(reader.read(body)))
                .containsExactly(
                        new Message(Role.SYSTEM, List.of(new ContentPart.Text("a"))),
                        new Message(Role.SYSTEM, List.of(new ContentPart.Text("b"))),
                        new Message(Role.USER, List.of(new ContentPart.Text("hi"))),
                        new Message(Role.ASSISTANT, List.of()),
                        new Message(Role.ASSISTANT, List.of()),
                        new Message(Role.ASSISTANT, List.of(new ContentPart.Text("no"))));
    }

    @Test
    void read_parts_keepOrderAndPath() {
        JsonNode body = parse("{\"messages\":[" + USER + ",{\"role\":\"user\",\"content\":["
                + "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://example.com/a.png\",\"detail\":\"odd\"}},"
                + "{\"type\":\"text\",\"text\":\"and\",\"unknown\":1},"
                + "{\"type\":\"image_url\",\"image_url\":\"data:image/png;base64,AA==\"}]}]}");

        assertThat(messages(reader.read(body)).get(1).content())
                .containsExactly(
                        new ContentPart.ImageRef("https://example.com/a.png", "messages[1].content[0].image_url.url"),
                        new ContentPart.Text("and"),
                        new ContentPart.ImageRef("data:image/png;base64,AA==", "messages[1].content[2].image_url"));
    }

    @Test
    void read_noModelReady_failsAsNotReady() {
        service.models(List.of());

        assertThatThrownBy(() -> reader.read(body("")))
                .isInstanceOfSatisfying(
                        GenerationException.class, e -> assertThat(e.type()).isEqualTo(ErrorType.MODEL_NOT_READY));
    }

    @Test
    void read_longValue_isCutInTheMessage() {
        String model = "x".repeat(10_000);

        assertThatThrownBy(() -> reader.read(body(",\"model\":\"" + model + "\"")))
                .hasMessage("The model '" + "x".repeat(64) + "... (10000 characters)' does not exist.");
    }

    @Test
    void read_valueOutOfRange_saysValueAndLimit() {
        assertThatThrownBy(() -> reader.read(body(",\"temperature\":3")))
                .hasMessage("temperature is 3 but must lie between 0 and 2.");
        assertThatThrownBy(() -> reader.read(body(",\"max_tokens\":\"4\"")))
                .hasMessage("max_tokens is '4' but must be a whole number.");
        assertThatThrownBy(() -> reader.read(body(",\"n\":9"))).hasMessage("n is 9 but must lie between 1 and 8.");
        assertThatThrownBy(() -> reader.read(body(",\"max_tokens\":4,\"min_tokens\":5")))
                .hasMessage("min_tokens is 5 but must be at most that of max_tokens, 4.");
        assertThatThrownBy(() -> reader.read(body(",\"top_logprobs\":3")))
                .hasMessage("top_logprobs is 3 but must be 0 unless logprobs is true.");
    }

    private ChatRequestReader reader(double temperature) {
        WebProperties limits = Settings.web("max-images=32", "max-text-characters=1000");
        return new ChatRequestReader(service, new GenerationProperties(temperature, 8, 32), limits);
    }

    private static ObjectNode body(String more) {
        return (ObjectNode) parse("{\"messages\":[" + USER + "]" + more + "}");
    }

    private static List<Message> messages(ChatCompletionRequest request) {
        return ((Prompt.Conversation) request.generation().prompt()).messages();
    }

    private static JsonNode parse(String json) {
        try {
            return JSON.readTree(json);
        } catch (IOException e) {
            throw new AssertionError(json, e);
        }
    }
}
