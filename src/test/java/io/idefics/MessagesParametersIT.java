package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Each parameter of the Messages API that {@link AnthropicClientIT} does not show does what it promises. */
class MessagesParametersIT extends EndpointParameters {

    /** Begun so that the small model does not know how to go on: it sees no ring. */
    private static final String BODY = "{'messages': [{'role': 'user', 'content': 'What can you see in pictures?'}, "
            + "{'role': 'assistant', 'content': 'The ring is'}], 'max_tokens': 16PARAMETERS}";

    private static final String HOT = "'temperature': 1, 'seed': 2";

    MessagesParametersIT() {
        super("/v1/messages", BODY, "/content/0/text");
    }

    @Test
    void seed_same_givesTheSameAnswer() {
        Set<String> answers = new HashSet<>();
        for (int seed = 1; seed <= 3; seed++) {
            answers.add(answer("'temperature': 1, 'seed': " + seed));
            answers.add(answer("'temperature': 1, 'seed': " + seed));
        }
        assertThat(answers).hasSize(3).doesNotContain(answer("'temperature': 0"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"'top_k': 1", "'top_p': 0.000001", "'min_p': 1"})
    void candidates_onlyTheLikeliest_areTheGreedyAnswer(String parameter) {
        assertThat(answer(HOT + ", " + parameter)).isEqualTo(answer(""));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'top_k': 2",
                "'top_p': 0.5",
                "'min_p': 0.5",
                "'typical_p': 0.3",
                "'repetition_penalty': 3",
                "'logit_bias': {'13': 100}",
                "'system': 'Be brief.'",
                "'stop_sequences': ['e']"
            })
    void parameter_alone_changesTheAnswer(String parameter) {
        assertThat(answer(HOT + ", " + parameter)).isNotEqualTo(answer(HOT));
    }

    @ParameterizedTest
    @ValueSource(strings = {"'presence_penalty': 2", "'frequency_penalty': 2"})
    void penalty_highOfWhatCameBefore_changesSomeAnswer(String parameter) {
        List<String> without = new ArrayList<>();
        List<String> with = new ArrayList<>();
        for (int seed = 1; seed <= 6; seed++) {
            without.add(answer("'temperature': 1, 'seed': " + seed));
            with.add(answer("'temperature': 1, 'seed': " + seed + ", " + parameter));
        }
        assertThat(with).isNotEqualTo(without);
    }

    @Test
    void system_textOrBlocks_isReadTheSame() {
        JsonNode text = ask("'system': 'Be brief.'");
        JsonNode blocks =
                ask("'system': [{'type': 'text', 'text': 'Be brief.', 'cache_control': {'type': 'ephemeral'}}]");

        assertThat(blocks.get("content")).isEqualTo(text.get("content"));
        assertThat(inputTokens(text)).isEqualTo(inputTokens(blocks)).isGreaterThan(inputTokens(ask("")));
    }

    @Test
    void outputConfig_schema_isKeptEvenWhereTokensAreDrawn() {
        String whole = BODY.substring(BODY.indexOf("{'role': 'assistant'"), BODY.indexOf("]"));
        String unbegun = BODY.replace(", " + whole, "");
        String config = ", 'output_config': {'format': {'type': 'json_schema', 'schema': " + SCHEMA + "}}, " + HOT;

        String body = unbegun.replace("PARAMETERS", config).replace('\'', '"');

        assertKeepsSchema(json(post("/v1/messages", body)).at("/content/0/text").textValue());
    }

    @Test
    void stream_asked_isAStream() {
        assertThat(send("'stream': true").body())
                .startsWith("event: message_start\n")
                .contains("event: content_block_delta\n")
                .contains("event: message_stop\n");
        assertThat(send("'stream': false").body()).startsWith("{");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'metadata': {'user_id': 'me'}",
                "'service_tier': 'auto'",
                "'thinking': {'type': 'disabled'}",
                "'thinking': {'type': 'adaptive'}",
                "'tools': [{'name': 'f', 'input_schema': {'type': 'object'}}], 'tool_choice': {'type': 'auto'}",
                "'stop_sequences': []",
                "'unknown': []",
                "'system': null, 'temperature': null, 'top_k': null, 'top_p': null, 'stop_sequences': null, 'stream': null"
            })
    void parameter_withoutMeaning_changesNothing(String parameter) {
        assertThat(answer(parameter)).isEqualTo(answer(""));
    }

    private static int inputTokens(JsonNode answer) {
        return answer.at("/usage/input_tokens").intValue()
                + answer.at("/usage/cache_read_input_tokens").intValue();
    }
}
