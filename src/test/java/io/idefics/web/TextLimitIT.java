package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.test.context.TestPropertySource;

/** Texts are counted before any is split into tokens, those of a whole request together, in every dialect. */
@TestPropertySource(properties = "idefics.web.max-text-characters=1000")
class TextLimitIT extends WebServerTest {

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '`',
            value = {
                "`/v1/chat/completions`, `{'messages':[{'role':'system','content':'A'},{'role':'user','content':'B'}]}`, 400,"
                        + " messages",
                "`/v1/chat/completions`, `{'messages':[{'role':'user','content':[{'type':'text','text':'A'},{'type':'text',"
                        + "'text':'B'}]}]}`, 400, messages",
                "`/v1/chat/completions/render`, `{'messages':[{'role':'user','content':'AB'}]}`, 400, messages",
                "`/v1/chat/completions/input_tokens`, `{'messages':[{'role':'user','content':'AB'}]}`, 400, messages",
                "`/v1/classify`, `{'messages':[{'role':'user','content':'AB'}],'choices':['a']}`, 400, messages",
                "`/v1/completions`, `{'prompt':['A','B']}`, 400, prompt",
                "`/v1/completions`, `{'prompt':'AB','truncate_prompt_tokens':1}`, 400, prompt",
                "`/tokenize`, `{'messages':[{'role':'user','content':'AB'}]}`, 400, messages",
                "`/v1/responses`, `{'instructions':'A','input':'B'}`, 400, input",
                "`/v1/messages`, `{'max_tokens':1,'system':'A','messages':[{'role':'user','content':'B'}]}`, 400, messages",
                "`/v1/messages/count_tokens`, `{'messages':[{'role':'user','content':'AB'}]}`, 400, messages",
                "`/generate`, `{'inputs':'AB'}`, 422, inputs",
                "`/generate_stream`, `{'inputs':'AB'}`, 422, inputs",
                "`/`, `{'inputs':'AB'}`, 422, inputs"
            })
    void post_textsTooLongTogether_isRefusedWithBothNumbers(String path, String form, int status, String param) {
        String half = "x".repeat(501);
        byte[] body = post(path, form.replace('\'', '"').replace("A", half).replace("B", half))
                .expectStatus()
                .isEqualTo(status)
                .expectBody()
                .returnResult()
                .getResponseBody();

        assertThat(new String(body, StandardCharsets.UTF_8))
                .contains(param + " has 1002 characters of text but may have at most 1000.");
        assertThat(service.calls()).isZero();
    }

    @ParameterizedTest
    @CsvSource({"500, 200", "501, 400"})
    void post_textsOfTheLimit_areTheLast(int characters, int status) {
        String message = "{\"role\":\"user\",\"content\":\"" + "x".repeat(characters) + "\"}";
        byte[] body = post("{\"messages\":[" + message.replace("x".repeat(characters), "x".repeat(500)) + "," + message
                        + "]}")
                .expectStatus()
                .isEqualTo(status)
                .expectBody()
                .returnResult()
                .getResponseBody();

        if (status == 400) {
            JsonNode error = error(body);
            assertThat(error.get("code").asText()).isEqualTo("context_length_exceeded");
            assertThat(error.get("param").asText()).isEqualTo("messages");
        }
    }
}
