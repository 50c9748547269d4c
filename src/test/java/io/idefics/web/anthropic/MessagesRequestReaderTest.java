package io.idefics.web.anthropic;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.idefics.generation.ContentPart;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Message;
import io.idefics.generation.OutputFormat;
import io.idefics.generation.OutputOptions;
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
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MessagesRequestReaderTest {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String USER = "{\"role\":\"user\",\"content\":\"hi\"}";

    private final MessagesRequestReader reader = new MessagesRequestReader(
            new ScriptedCompletionService(),
            new GenerationProperties(0, 8, 32),
            Settings.web("max-images=2", "max-text-characters=1000"));

    @Test
    void read_leastBody_takesDefaults() {
        MessagesRequest request = read("");

        assertThat(request.stream()).isFalse();
        assertThat(request.maxTokens()).isEqualTo(8);
        assertThat(request.generation().model()).isEqualTo(ScriptedCompletionService.MODEL);
        assertThat(request.generation().prompt())
                .isEqualTo(new Prompt.Conversation(List.of(text(Role.USER, "hi")), false));
        assertThat(request.generation().sampling()).isEqualTo(SamplingParams.GREEDY);
        assertThat(request.generation().stopping()).isEqualTo(new StoppingCriteria(OptionalInt.of(8), 0, List.of()));
        assertThat(request.generation().output()).isEqualTo(OutputOptions.ONE);
    }

    @Test
    void read_everything_carriesEachValue() {
        MessagesRequest request = read(
                """
                ,"model":"other","system":"s","temperature":0.5,"top_p":0.25,"top_k":3,"seed":7,"stream":true,
                "stop_sequences":["a","b"],"metadata":{"user_id":"u"},"service_tier":"auto",
                "thinking":{"type":"disabled"},"tools":[{"name":"clock"}],"tool_choice":{"type":"auto"},
                "output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}}""");

        assertThat(request.stream()).isTrue();
        assertThat(request.generation().model()).isEqualTo("other");
        assertThat(messages(request)).containsExactly(text(Role.SYSTEM, "s"), text(Role.USER, "hi"));
        assertThat(request.generation().sampling())
                .isEqualTo(new SamplingParams(0.5, 0.25, 3, 0, 1, 1, 0, 0, Map.of(), OptionalLong.of(7)));
        assertThat(request.generation().stopping().stop()).containsExactly("a", "b");
        assertThat(request.generation().output().format())
                .isEqualTo(new OutputFormat.JsonSchema("{\"type\":\"object\"}", false, "output_config.format.schema"));
    }

    @Test
    void read_conversation_keepsRolesBlocksAndPaths() {
        Prompt.Conversation prompt = count(
                        """
                {"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}],
                "messages":[
                {"role":"user","content":[
                  {"type":"image","source":{"type":"url","url":"http://a/b.png"}},
                  {"type":"text","text":"t"},
                  {"type":"image","source":{"type":"base64","media_type":"image/webp","data":"AA=="}}]},
                {"role":"user","content":"more"},
                {"role":"system","content":"mind"},
                {"role":"user","content":[]}]}""")
                .prompt();

        assertThat(prompt.continueFinalMessage()).isFalse();
        assertThat(prompt.messages())
                .containsExactly(
                        new Message(Role.SYSTEM, List.of(new ContentPart.Text("a"), new ContentPart.Text("b"))),
                        new Message(
                                Role.USER,
                                List.of(
                                        new ContentPart.ImageRef("http://a/b.png", "messages[0].content[0].source.url"),
                                        new ContentPart.Text("t"),
                                        new ContentPart.ImageRef(
                                                "data:image/webp;base64,AA==", "messages[0].content[2].source.data"))),
                        text(Role.USER, "more"),
                        text(Role.SYSTEM, "mind"),
                        new Message(Role.USER, List.of()));
    }

    @Test
    void read_lastMessageOfTheAssistant_isContinued() {
        Prompt.Conversation prompt = count("{\"messages\":[" + USER + ",{\"role\":\"assistant\",\"content\":\"A\"}]}")
                .prompt();

        assertThat(prompt.continueFinalMessage()).isTrue();
    }

    @Test
    void read_maxTokensOfZero_onlyReadsThePrompt() {
        MessagesRequest request = reader.read(json("{\"max_tokens\":0,\"messages\":[" + USER + "]}"));

        assertThat(request.generation().stopping().maxTokens()).hasValue(0);
    }

    @Test
    void read_thinkingLeftToTheModel_isAccepted() {
        assertThat(read(",\"thinking\":{\"type\":\"adaptive\"}")).isNotNull();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024} | thinking.type",
                "\"tool_choice\":{\"type\":\"any\"} | tool_choice.type",
                "\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"} | tool_choice.type",
            })
    void read_unsupportedField_isNamed(String field, String param) {
        assertThatThrownBy(() -> read("," + field)).isInstanceOfSatisfying(GenerationException.class, e -> {
            assertThat(e.type()).isEqualTo(ErrorType.UNSUPPORTED_PARAMETER);
            assertThat(e.param()).isEqualTo(param);
        });
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "tool_use",
                "tool_result",
                "server_tool_use",
                "web_search_tool_result",
                "document",
                "search_result",
                "container_upload",
                "thinking",
                "redacted_thinking"
            })
    void read_unsupportedBlock_isNamed(String type) {
        assertThatThrownBy(() -> content("{\"type\":\"" + type + "\"}"))
                .isInstanceOfSatisfying(GenerationException.class, e -> {
                    assertThat(e.type()).isEqualTo(ErrorType.UNSUPPORTED_PARAMETER);
                    assertThat(e.param()).isEqualTo("messages[0].content[0].type");
                    assertThat(e).hasMessageContaining("'" + type + "'");
                });
    }

    @Test
    void read_fileAsPicture_isUnsupported() {
        assertThatThrownBy(() -> content("{\"type\":\"image\",\"source\":{\"type\":\"file\",\"file_id\":\"f\"}}"))
                .isInstanceOfSatisfying(GenerationException.class, e -> assertThat(e.type())
                        .isEqualTo(ErrorType.UNSUPPORTED_PARAMETER));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "\"temperature\":1.1 | temperature",
                "\"temperature\":-0.1 | temperature",
                "\"top_p\":0 | top_p",
                "\"top_k\":-1 | top_k",
                "\"stop_sequences\":\"a\" | stop_sequences",
                "\"stop_sequences\":[\"\"] | stop_sequences[0]",
                "\"thinking\":{\"type\":\"deep\"} | thinking.type",
                "\"thinking\":true | thinking",
                "\"tool_choice\":\"auto\" | tool_choice",
                "\"tool_choice\":{\"type\":\"one\"} | tool_choice.type",
                "\"output_config\":{\"format\":{\"type\":\"xml\"}} | output_config.format.type",
                "\"output_config\":{\"format\":{\"type\":\"json_schema\"}} | output_config.format.schema",
                "\"system\":7 | system",
                "\"system\":[{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"http://a\"}}] | system[0].type",
                "\"stream\":1 | stream",
            })
    void read_mistake_isNamed(String field, String param) {
        assertMistake(() -> read("," + field), param);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"type\":\"text\"} | .text",
                "{\"type\":\"video\"} | .type",
                "{\"type\":\"image\"} | .source",
                "{\"type\":\"image\",\"source\":{\"type\":\"path\"}} | .source.type",
                "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"\"}} | .source.url",
                "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/bmp\",\"data\":\"AA==\"}} "
                        + "| .source.media_type",
                "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"\"}} "
                        + "| .source.data",
            })
    void read_brokenBlock_isNamed(String block, String path) {
        assertMistake(() -> content(block), "messages[0].content[0]" + path);
    }

    @Test
    void read_brokenMessages_areNamed() {
        assertMistake(() -> count("{}"), "messages");
        assertMistake(() -> count("{\"messages\":[]}"), "messages");
        assertMistake(() -> count("{\"messages\":[{\"role\":\"tool\",\"content\":\"a\"}]}"), "messages[0].role");
        assertMistake(() -> count("{\"messages\":[{\"role\":\"user\"}]}"), "messages[0].content");
        assertMistake(
                () -> count("{\"messages\":[" + USER + ",{\"role\":\"system\",\"content\":\"a\"}]}"),
                "messages[1].role");
        assertMistake(() -> reader.read(json("{\"messages\":[" + USER + "]}")), "max_tokens");
        assertMistake(() -> reader.read(json("{\"max_tokens\":-1,\"messages\":[" + USER + "]}")), "max_tokens");
    }

    @Test
    void read_tooManyPictures_isRefused() {
        String picture = "{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"http://a\"}}";

        assertThatThrownBy(() -> content(picture + "," + picture + "," + picture))
                .hasMessage("messages has 3 pictures but may have at most 2.");
    }

    private static void assertMistake(ThrowingCallable read, String param) {
        assertThatThrownBy(read).isInstanceOfSatisfying(GenerationException.class, e -> {
            assertThat(e.type()).isEqualTo(ErrorType.INVALID_VALUE);
            assertThat(e.param()).isEqualTo(param);
        });
    }

    private CountRequest content(String blocks) {
        return count("{\"messages\":[{\"role\":\"user\",\"content\":[" + blocks + "]}]}");
    }

    private CountRequest count(String body) {
        return reader.count(json(body));
    }

    private MessagesRequest read(String fields) {
        return reader.read(json("{\"max_tokens\":8,\"messages\":[" + USER + "]" + fields + "}"));
    }

    private static Message text(Role role, String text) {
        return new Message(role, List.of(new ContentPart.Text(text)));
    }

    private static List<Message> messages(MessagesRequest request) {
        return ((Prompt.Conversation) request.generation().prompt()).messages();
    }

    private static JsonNode json(String body) {
        try {
            return JSON.readTree(body);
        } catch (IOException e) {
            throw new AssertionError(body, e);
        }
    }
}
