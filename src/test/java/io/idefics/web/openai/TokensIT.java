package io.idefics.web.openai;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.ContentPart;
import io.idefics.generation.Prompt;
import io.idefics.web.WebServerTest;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.http.MediaType;
import org.springframework.test.json.JsonCompareMode;
import org.springframework.test.web.reactive.server.WebTestClient.ResponseSpec;

/** The endpoints about tokens as they are on the wire. */
class TokensIT extends WebServerTest {

    private static final String RENDER = "/v1/chat/completions/render";
    private static final String COUNT = "/v1/chat/completions/input_tokens";
    private static final String PICTURE =
            "{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://nowhere.invalid/a\"}}";

    @Test
    void tokenize_text_tellsTheTokensOfThePrompt() {
        requireJson(
                "/tokenize",
                "{\"prompt\":\"User: hi\"}",
                "{\"count\":4,\"max_model_len\":2048,\"tokens\":[1,4911,29901,7251],\"token_strs\":null}");

        assertThat(service.renderedPrompts()).containsExactly(text("User: hi"));
    }

    @Test
    void tokenize_withStrings_tellsTheirTexts() {
        requireJson(
                "/tokenize",
                "{\"prompt\":\"User: hi\",\"return_token_strs\":true}",
                "{\"count\":4,\"max_model_len\":2048,\"tokens\":[1,4911,29901,7251],"
                        + "\"token_strs\":[\"<s>\",\" User\",\":\",\" hi\"]}");
    }

    @Test
    void tokenize_withoutSpecialTokens_isOfTheTextAlone() {
        ask("/tokenize", "{\"prompt\":\"User: hi\",\"add_special_tokens\":false}")
                .expectStatus()
                .isOk();

        assertThat(service.renderedPrompts()).isEmpty();
    }

    @Test
    void tokenize_parts_areOnePrompt() {
        String parts = "[{\"type\":\"text\",\"text\":\"What is\"}," + PICTURE + "]";

        ask("/tokenize", "{\"prompt\":" + parts + "}").expectStatus().isOk();

        assertThat(service.renderedPrompts())
                .containsExactly(new Prompt.Interleaved(
                        List.of(
                                new ContentPart.Text("What is"),
                                new ContentPart.ImageRef("http://nowhere.invalid/a", "prompt[1].image_url.url")),
                        false,
                        OptionalInt.empty(),
                        "prompt"));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void tokenize_messages_areAConversation(boolean continues) {
        String flags = continues ? ",\"continue_final_message\":true,\"add_generation_prompt\":false" : "";

        ask("/tokenize", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" + flags + "}")
                .expectStatus()
                .isOk();

        assertThat(service.renderedPrompts())
                .singleElement()
                .isInstanceOfSatisfying(
                        Prompt.Conversation.class, conversation -> assertThat(conversation.continueFinalMessage())
                                .isEqualTo(continues));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "/tokenize|{}|prompt|invalid_value",
                "/tokenize|{\"prompt\":7}|prompt|invalid_value",
                "/tokenize|{\"prompt\":[]}|prompt|invalid_value",
                "/tokenize|{\"prompt\":[{\"type\":\"video_url\"}]}|prompt[0].type|unsupported_parameter",
                "/tokenize|{\"prompt\":[{\"type\":\"text\",\"text\":\"a\"}],\"add_special_tokens\":false}"
                        + "|add_special_tokens|invalid_value",
                "/tokenize|{\"prompt\":\"a\",\"messages\":[]}|messages|invalid_value",
                "/tokenize|{\"messages\":[]}|messages|invalid_value",
                "/tokenize|{\"prompt\":\"a\",\"return_token_strs\":1}|return_token_strs|invalid_value",
                "/tokenize|{\"prompt\":\"a\",\"add_special_tokens\":\"yes\"}|add_special_tokens|invalid_value",
                "/detokenize|{}|tokens|invalid_value",
                "/detokenize|{\"tokens\":[1,-1]}|tokens[1]|invalid_value",
                "/detokenize|{\"tokens\":[1.5]}|tokens[0]|invalid_value",
                "/detokenize|{\"tokens\":[1],\"skip_special_tokens\":0}|skip_special_tokens|invalid_value",
                RENDER + "|{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"n\":99}|n|invalid_value",
                COUNT + "|{}|messages|invalid_value"
            })
    void malformedRequest_namesTheField(String path, String body, String param, String code) {
        JsonNode error = error(ask(path, body)
                .expectStatus()
                .isBadRequest()
                .expectBody()
                .returnResult()
                .getResponseBody());

        assertThat(error.get("param").asText()).isEqualTo(param);
        assertThat(error.get("code").asText()).isEqualTo(code);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/tokenize", RENDER})
    void farTooLongText_isRefused(String path) {
        String text = "a".repeat(40_000);
        String message = "{\"role\":\"user\",\"content\":\"" + text + "\"}";
        String body = "{\"messages\":[" + message + "," + message + "]}";

        JsonNode error = error(ask(path, body)
                .expectStatus()
                .isBadRequest()
                .expectBody()
                .returnResult()
                .getResponseBody());

        assertThat(error.get("message").asText())
                .isEqualTo("messages has 80000 characters but may have at most 65536.");
    }

    @Test
    void unknownModel_isNotFound() {
        for (String body : List.of("{\"model\":\"nope\",\"prompt\":\"a\"}", "{\"model\":\"nope\",\"messages\":[]}")) {
            ask("/tokenize", body).expectStatus().isNotFound();
        }
        ask("/detokenize", "{\"model\":\"nope\",\"tokens\":[1]}").expectStatus().isNotFound();
    }

    @Test
    void detokenize_ids_keepsSpecialTokensUnlessTold() {
        requireJson("/detokenize", "{\"tokens\":[1,2]}", "{\"prompt\":\"[1, 2] and special\"}");
        requireJson("/detokenize", "{\"tokens\":[1,2],\"skip_special_tokens\":true}", "{\"prompt\":\"[1, 2]\"}");
    }

    @Test
    void render_chatRequest_tellsItsPrompt() {
        requireJson(
                RENDER,
                HELLO_STREAM,
                "{\"prompt\":\"<s>User: hi\",\"token_ids\":[1,4911,29901,7251],\"count\":4,\"image_tokens\":0,"
                        + "\"max_model_len\":2048}");

        assertThat(service.lastRequest()).isNull();
    }

    @Test
    void count_chatRequest_tellsHowManyTokens() {
        requireJson(COUNT, HELLO, "{\"object\":\"response.input_tokens\",\"input_tokens\":4}");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/tokenize", "/detokenize", RENDER, COUNT})
    void otherMethods_areNotAllowed(String path) {
        client.get()
                .uri(path)
                .exchange()
                .expectStatus()
                .isEqualTo(405)
                .expectHeader()
                .valueEquals("allow", "POST");
    }

    private static Prompt text(String text) {
        return new Prompt.Interleaved(List.of(new ContentPart.Text(text)), false, OptionalInt.empty(), "prompt");
    }

    private void requireJson(String path, String body, String answer) {
        ask(path, body).expectStatus().isOk().expectBody().json(answer, JsonCompareMode.STRICT);
    }

    private ResponseSpec ask(String path, String body) {
        return client.post()
                .uri(path)
                .contentType(MediaType.APPLICATION_JSON)
                .bodyValue(body)
                .exchange();
    }
}
