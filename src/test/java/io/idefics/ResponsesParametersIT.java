package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.service.EngineProbe;
import java.io.IOException;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Each parameter of the Responses API that {@link ResponsesClientIT} does not show does what it promises. */
class ResponsesParametersIT extends EndpointParameters {

    private static final String LONG = "'ignore_eos': true, 'max_output_tokens': 32";
    private static final String HOT = LONG + ", 'temperature': 2, 'seed': 1";

    ResponsesParametersIT() {
        super("/v1/responses", "{'input': 'What can you see in pictures?'PARAMETERS}", "/output/0/content/0/text");
    }

    @Test
    void seed_same_givesTheSameAnswer() {
        Set<String> answers = new HashSet<>();
        for (int seed = 1; seed <= 3; seed++) {
            String parameters = LONG + ", 'temperature': 2, 'seed': " + seed;
            answers.add(answer(parameters));
            answers.add(answer(parameters));
        }
        assertThat(answers).hasSize(3).doesNotContain(answer(LONG));
    }

    @ParameterizedTest
    @ValueSource(strings = {"'top_k': 1", "'top_p': 0.000001", "'min_p': 1"})
    void candidates_onlyTheLikeliest_areTheGreedyAnswer(String parameter) {
        assertThat(answer(HOT + ", " + parameter)).isEqualTo(answer(LONG + ", 'temperature': 0"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'top_k': 2",
                "'top_p': 0.5",
                "'min_p': 0.5",
                "'typical_p': 0.3",
                "'repetition_penalty': 2",
                "'presence_penalty': 2",
                "'frequency_penalty': 2",
                "'logit_bias': {'13': 100}",
                "'instructions': 'Be brief.'"
            })
    void parameter_alone_changesTheAnswer(String parameter) {
        assertThat(answer(HOT + ", " + parameter)).isNotEqualTo(answer(HOT));
    }

    @Test
    void maxOutputTokens_endReached_isComplete() {
        JsonNode cut = ask("'max_output_tokens': 3");

        assertThat(cut.at("/usage/output_tokens").intValue()).isEqualTo(3);
        assertThat(cut.get("status").textValue()).isEqualTo("incomplete");
        assertThat(cut.get("max_output_tokens").intValue()).isEqualTo(3);
        assertThat(ask("").get("status").textValue()).isEqualTo("completed");
    }

    @Test
    void maxLength_promptAndAnswer_areNoLonger() {
        assertThat(ask("'max_length': 25").at("/usage/total_tokens").intValue()).isEqualTo(25);
    }

    @Test
    void minTokens_beyondTheEnd_goesOn() {
        int tokens = ask("").at("/usage/output_tokens").intValue();

        assertThat(ask("'min_tokens': " + (tokens + 3))
                        .at("/usage/output_tokens")
                        .intValue())
                .isGreaterThanOrEqualTo(tokens + 3);
    }

    @Test
    void stop_reached_endsTheAnswer() {
        String whole = answer("");
        int period = EngineProbe.tokenId(registry, ".");

        assertThat(answer("'stop': ['simple']")).isEqualTo("I can describe ");
        assertThat(answer("'stop': 'simple', 'include_stop_str_in_output': true"))
                .isEqualTo("I can describe simple");
        assertThat(answer("'stop_token_ids': [" + period + "]")).isEqualTo(whole.substring(0, whole.indexOf('.')));
    }

    @Test
    void instructions_given_areRead() {
        assertThat(ask("'instructions': 'Be brief.'").at("/usage/input_tokens").intValue())
                .isGreaterThan(ask("").at("/usage/input_tokens").intValue());
    }

    @Test
    void sampling_given_isTold() {
        JsonNode answer = ask("'max_output_tokens': 1, 'temperature': 0.5, 'top_p': 0.25");

        assertThat(answer.get("temperature").doubleValue()).isEqualTo(0.5);
        assertThat(answer.get("top_p").doubleValue()).isEqualTo(0.25);
    }

    @Test
    void include_logprobsOrOther_tellsThem() {
        JsonNode with = ask("'include': ['message.output_text.logprobs'], 'max_output_tokens': 3, 'top_logprobs': 2");
        JsonNode without = ask("'include': ['reasoning.encrypted_content'], 'max_output_tokens': 3");

        assertThat(with.at("/output/0/content/0/logprobs"))
                .hasSize(3)
                .allSatisfy(token -> assertThat(token.get("top_logprobs")).hasSize(2));
        assertThat(without.at("/output/0/content/0/logprobs")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ", 'temperature': 2, 'seed': 5"})
    void textFormat_given_isKept(String more) throws IOException {
        assertKeepsSchema(
                answer("'text': {'format': {'type': 'json_schema', 'name': 'a', 'schema': " + SCHEMA + "}}" + more));
        assertThat(JSON.readTree(answer("'text': {'format': {'type': 'json_object'}}" + more))
                        .isObject())
                .isTrue();
    }

    @Test
    void stream_asked_isAStream() {
        assertThat(send("'stream': true, 'max_output_tokens': 3").body())
                .startsWith("event: response.created\n")
                .contains("event: response.output_text.delta\n", "event: response.incomplete\n");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'store': true",
                "'user': 'me', 'safety_identifier': 'x', 'prompt_cache_key': 'x', 'service_tier': 'auto'",
                "'reasoning': {'effort': 'low'}",
                "'truncation': 'auto'",
                "'background': false",
                "'tools': [{'type': 'function', 'name': 'f', 'parameters': {}}], 'tool_choice': 'auto'",
                "'text': {'format': {'type': 'text'}, 'verbosity': 'low'}",
                "'temperature': null, 'max_output_tokens': null, 'include': null, 'text': null, 'metadata': null"
            })
    void parameter_withoutMeaning_changesNothing(String parameter) {
        assertThat(answer(parameter)).isEqualTo(answer(""));
    }
}
