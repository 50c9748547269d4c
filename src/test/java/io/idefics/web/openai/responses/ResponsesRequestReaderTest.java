package io.idefics.web.openai.responses;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.generation.ContentPart;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Message;
import io.idefics.generation.OutputFormat;
import io.idefics.generation.Prompt;
import io.idefics.generation.Role;
import io.idefics.generation.SamplingParams;
import io.idefics.generation.StoppingCriteria;
import io.idefics.testing.Settings;
import io.idefics.web.GenerationProperties;
import io.idefics.web.ScriptedCompletionService;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ResponsesRequestReaderTest {

    private static final ObjectMapper JSON = new ObjectMapper();

    private final ResponsesRequestReader reader = new ResponsesRequestReader(
            new ScriptedCompletionService(),
            new GenerationProperties(0, 8, 32),
            Settings.web("max-images=2", "max-text-characters=1000"));

    @Test
    void read_textOnly_takesDefaults() {
        ResponsesRequest request = read("{\"input\":\"hi\"}");

        assertThat(request.stream()).isFalse();
        assertThat(request.generation().model()).isEqualTo(ScriptedCompletionService.MODEL);
        assertThat(messages(request)).containsExactly(text(Role.USER, "hi"));
        assertThat(request.generation().sampling()).isEqualTo(SamplingParams.GREEDY);
        assertThat(request.generation().stopping()).isEqualTo(new StoppingCriteria(OptionalInt.empty(), 0, List.of()));
        assertThat(request.generation().output().choices()).isEqualTo(1);
        assertThat(request.generation().output().topLogprobs()).isEqualTo(-1);
        assertThat(request.generation().output().format()).isEqualTo(new OutputFormat.Text());
        assertThat(request.settings())
                .isEqualTo(new ResponsesRequest.Settings(null, OptionalInt.empty(), Map.of(), true, "auto", null, 0));
    }

    @Test
    void read_everything_carriesEachValue() {
        ResponsesRequest request = read(
                """
                {"input":"hi","model":"other","instructions":"Be brief.","max_output_tokens":7,"temperature":0.5,
                "top_p":0.25,"top_k":3,"min_p":0.125,"seed":-5,"stop":["a"],"min_tokens":2,"stream":true,
                "metadata":{"a":"b"},"parallel_tool_calls":false,"tool_choice":"none","top_logprobs":20,
                "include":["message.output_text.logprobs"],"text":{"format":{"type":"json_object"},"verbosity":"low"},
                "store":true,"truncation":"disabled","background":false,"reasoning":{"effort":"low"},"user":"u"}""");

        assertThat(request.stream()).isTrue();
        assertThat(request.generation().model()).isEqualTo("other");
        assertThat(messages(request)).containsExactly(text(Role.SYSTEM, "Be brief."), text(Role.USER, "hi"));
        assertThat(request.generation().sampling())
                .isEqualTo(new SamplingParams(0.5, 0.25, 3, 0.125, 1, 1, 0, 0, Map.of(), OptionalLong.of(-5)));
        assertThat(request.generation().stopping()).isEqualTo(new StoppingCriteria(OptionalInt.of(7), 2, List.of("a")));
        assertThat(request.generation().output().topLogprobs()).isEqualTo(20);
        assertThat(request.generation().output().format()).isEqualTo(new OutputFormat.JsonObject());
        ResponsesRequest.Settings settings = request.settings();
        assertThat(settings.instructions()).isEqualTo("Be brief.");
        assertThat(settings.maxOutputTokens()).hasValue(7);
        assertThat(settings.metadata()).containsExactly(Map.entry("a", "b"));
        assertThat(settings.parallelToolCalls()).isFalse();
        assertThat(settings.toolChoice()).isEqualTo("none");
        assertThat(settings.format()).hasToString("{\"type\":\"json_object\"}");
        assertThat(settings.topLogprobs()).isEqualTo(20);
    }

    @Test
    void read_conversation_keepsRolesPartsAndPaths() {
        ResponsesRequest request = read(
                """
                {"input":[
                {"role":"system","content":"s"},
                {"role":"developer","content":[{"type":"input_text","text":"d"}]},
                {"type":"reasoning","id":"rs_1","summary":[]},
                {"type":"message","role":"assistant","content":[
                  {"type":"output_text","text":"o"},{"type":"refusal","refusal":"r"}]},
                {"role":"user","content":[
                  {"type":"input_image","image_url":"http://a/b.png","detail":"auto","file_id":null},
                  {"type":"input_text","text":"t"}]}]}""");

        assertThat(messages(request))
                .containsExactly(
                        text(Role.SYSTEM, "s"),
                        text(Role.SYSTEM, "d"),
                        new Message(Role.ASSISTANT, List.of(new ContentPart.Text("o"), new ContentPart.Text("r"))),
                        new Message(
                                Role.USER,
                                List.of(
                                        new ContentPart.ImageRef("http://a/b.png", "input[4].content[0].image_url"),
                                        new ContentPart.Text("t"))));
    }

    @Test
    void read_schema_isTakenAsItIs() {
        ResponsesRequest request = read(
                """
                {"input":"hi","text":{"format":{"type":"json_schema","name":"a","strict":true,
                "schema":{"type":"object"}}}}""");

        assertThat(request.generation().output().format())
                .isEqualTo(new OutputFormat.JsonSchema("{\"type\":\"object\"}", true, "text.format.schema"));
    }

    @Test
    void read_topLogprobsWithoutInclude_tellsNone() {
        ResponsesRequest request = read("{\"input\":\"hi\",\"top_logprobs\":3,\"include\":[\"other\"]}");

        assertThat(request.generation().output().topLogprobs()).isEqualTo(-1);
        assertThat(request.settings().topLogprobs()).isEqualTo(3);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "\"previous_response_id\":\"resp_1\" | previous_response_id",
                "\"conversation\":{\"id\":\"conv_1\"} | conversation",
                "\"prompt\":{\"id\":\"pmpt_1\"} | prompt",
                "\"background\":true | background",
                "\"tool_choice\":\"required\" | tool_choice",
                "\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"} | tool_choice",
                "\"input\":[{\"type\":\"item_reference\",\"id\":\"msg_1\"}] | input[0].type",
                "\"input\":[{\"type\":\"function_call\"}] | input[0].type",
                "\"input\":[{\"type\":\"function_call_output\"}] | input[0].type",
                "\"input\":[{\"type\":\"mcp_list_tools\"}] | input[0].type",
                "\"input\":[{\"type\":\"compaction\"}] | input[0].type",
                "\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\"}]}] | input[0].content[0].type",
                "\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"file_id\":\"f\"}]}] "
                        + "| input[0].content[0].file_id",
            })
    void read_unsupported_isNamed(String field, String param) {
        assertThatThrownBy(() -> read(withInput(field))).isInstanceOfSatisfying(GenerationException.class, e -> {
            assertThat(e.type()).isEqualTo(ErrorType.UNSUPPORTED_PARAMETER);
            assertThat(e.param()).isEqualTo(param);
        });
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "\"input\":null | input",
                "\"input\":[] | input",
                "\"input\":7 | input",
                "\"input\":[{\"type\":\"reasoning\"}] | input",
                "\"input\":[7] | input[0]",
                "\"input\":[{\"type\":\"unheard\"}] | input[0].type",
                "\"input\":[{\"role\":\"tool\",\"content\":\"a\"}] | input[0].role",
                "\"input\":[{\"role\":\"user\"}] | input[0].content",
                "\"input\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"a\"}] "
                        + "| input[1].role",
                "\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}] "
                        + "| input[0].content[0].type",
                "\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"refusal\",\"refusal\":\"a\"}]}] "
                        + "| input[0].content[0].type",
                "\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"image_url\":\"\"}]}] "
                        + "| input[0].content[0].image_url",
                "\"instructions\":[] | instructions",
                "\"max_output_tokens\":0 | max_output_tokens",
                "\"max_output_tokens\":2,\"min_tokens\":3 | min_tokens",
                "\"temperature\":2.1 | temperature",
                "\"top_logprobs\":21 | top_logprobs",
                "\"include\":[1] | include[0]",
                "\"metadata\":{\"a\":1} | metadata.a",
                "\"tool_choice\":\"always\" | tool_choice",
                "\"truncation\":\"some\" | truncation",
                "\"text\":\"json\" | text",
                "\"text\":{\"format\":{\"type\":\"xml\"}} | text.format.type",
                "\"text\":{\"format\":{\"type\":\"json_schema\",\"schema\":{}}} | text.format.name",
                "\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"\",\"schema\":{}}} | text.format.name",
                "\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"a\"}} | text.format.schema",
                "\"stream\":\"yes\" | stream",
            })
    void read_mistake_isNamed(String field, String param) {
        assertThatThrownBy(() -> read(withInput(field))).isInstanceOfSatisfying(GenerationException.class, e -> {
            assertThat(e.type()).isEqualTo(ErrorType.INVALID_VALUE);
            assertThat(e.param()).isEqualTo(param);
            assertThat(e).hasMessageContaining(param);
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {16, 17})
    void read_metadata_isBounded(int entries) {
        StringBuilder metadata = new StringBuilder("\"k0\":\"" + "v".repeat(512) + "\"");
        for (int i = 1; i < entries; i++) {
            metadata.append(",\"k").append(i).append("\":\"\"");
        }
        String body = "{\"input\":\"hi\",\"metadata\":{" + metadata + "}}";

        if (entries <= 16) {
            assertThat(read(body).settings().metadata()).hasSize(16);
        } else {
            assertThatThrownBy(() -> read(body)).hasMessageContaining("metadata has 17 entries");
        }
    }

    @Test
    void read_metadataTooLong_isRefused() {
        assertThatThrownBy(() -> read("{\"input\":\"hi\",\"metadata\":{\"a\":\"" + "v".repeat(513) + "\"}}"))
                .hasMessageContaining("512");
        assertThatThrownBy(() -> read("{\"input\":\"hi\",\"metadata\":{\"" + "k".repeat(65) + "\":\"\"}}"))
                .hasMessageContaining("64");
    }

    @Test
    void read_tooManyPictures_isRefused() {
        String picture = "{\"type\":\"input_image\",\"image_url\":\"http://a\"}";

        assertThatThrownBy(() -> read("{\"input\":[{\"role\":\"user\",\"content\":[" + picture + "," + picture + ","
                        + picture + "]}]}"))
                .hasMessage("input has 3 pictures but may have at most 2.");
    }

    private static String withInput(String field) {
        return field.startsWith("\"input\"") ? "{" + field + "}" : "{\"input\":\"hi\"," + field + "}";
    }

    private static Message text(Role role, String text) {
        return new Message(role, List.of(new ContentPart.Text(text)));
    }

    private static List<Message> messages(ResponsesRequest request) {
        return ((Prompt.Conversation) request.generation().prompt()).messages();
    }

    private ResponsesRequest read(String body) {
        try {
            return reader.read(JSON.readTree(body));
        } catch (IOException e) {
            throw new AssertionError(body, e);
        }
    }
}
