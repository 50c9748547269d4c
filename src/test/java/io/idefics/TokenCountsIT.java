package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;

/** Tokens are told as the model gets them. */
class TokenCountsIT extends RunningServer {

    private static final String RENDER = "/v1/chat/completions/render";
    private static final String COUNT = "/v1/chat/completions/input_tokens";

    /** Tokens that the layout of a conversation of one question and a picture has. */
    private static final String DIALOGUE =
            "<s>User:<fake_token_around_image><image><fake_token_around_image>What is it?<end_of_utterance>\nAssistant:";

    @Test
    void tokenize_text_beginsWithTheBeginningOfSequence() {
        JsonNode withSpecial = ok("/tokenize", JSON.createObjectNode().put("prompt", "A red square."));
        JsonNode alone = ok(
                "/tokenize",
                JSON.createObjectNode().put("prompt", "A red square.").put("add_special_tokens", false));

        assertThat(ids(withSpecial.get("tokens")))
                .startsWith(1)
                .hasSize(ids(alone.get("tokens")).size() + 1);
        assertThat(ids(withSpecial.get("tokens"))
                        .subList(1, withSpecial.get("count").asInt()))
                .isEqualTo(ids(alone.get("tokens")));
        assertThat(alone.get("max_model_len").asInt())
                .isEqualTo(withSpecial.get("max_model_len").asInt())
                .isPositive();
    }

    @Test
    void detokenize_tokensOfAText_givesTheText() {
        JsonNode tokens = ok("/tokenize", JSON.createObjectNode().put("prompt", "Déjà vu 🟥 <image_of_it>"))
                .get("tokens");

        ObjectNode body = JSON.createObjectNode();
        body.set("tokens", tokens);
        assertThat(ok("/detokenize", body).get("prompt").asText()).isEqualTo("<s> Déjà vu 🟥 <image_of_it>");
        assertThat(ok("/detokenize", body.put("skip_special_tokens", true))
                        .get("prompt")
                        .asText())
                .isEqualTo("Déjà vu 🟥 <image_of_it>");
    }

    @Test
    void detokenize_unknownId_isBadRequest() {
        HttpResponse<String> response = post("/detokenize", "{\"tokens\":[1,999999999]}");

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(json(response).at("/error/param").asText()).isEqualTo("tokens");
        assertThat(json(response).at("/error/message").asText())
                .startsWith("tokens has the token id 999999999 but ids must lie between 0 and ");
    }

    @Test
    void render_picture_isNotFetched() {
        int connections = IMAGE_HOST.connections();
        String url = IMAGE_HOST.url("images/133.jpg");
        ObjectNode body = request(userMessage("What is it?", url));

        JsonNode rendered = ok(RENDER, body);

        assertThat(rendered.get("prompt").asText()).isEqualTo(DIALOGUE);
        assertThat(rendered.get("image_tokens").asInt()).isEqualTo(3);
        assertThat(rendered.get("token_ids").size())
                .isEqualTo(rendered.get("count").asInt());
        assertThat(ok(COUNT, body).get("input_tokens")).isEqualTo(rendered.get("count"));
        assertThat(IMAGE_HOST.connections()).isEqualTo(connections);
    }

    @Test
    void count_conversation_isWhatItsAnswerCosts() {
        ObjectNode body = request(userMessage("Hello!")).put("max_tokens", 1);

        JsonNode answer = json(post(body.toString()));

        assertThat(ok(COUNT, body).get("input_tokens")).isEqualTo(answer.at("/usage/prompt_tokens"));
        assertThat(ok("/tokenize", body).get("count")).isEqualTo(answer.at("/usage/prompt_tokens"));
    }

    private JsonNode ok(String path, ObjectNode body) {
        HttpResponse<String> response = post(path, body.toString());
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return json(response);
    }

    private static List<Integer> ids(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false)
                .map(JsonNode::asInt)
                .toList();
    }
}
