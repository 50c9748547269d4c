package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Each parameter of text-generation-inference that {@link TgiIT} does not show does what it promises. */
class GenerateParametersIT extends EndpointParameters {

    private static final String INPUTS = "User: What can you see in pictures?<end_of_utterance>\\nAssistant:";
    private static final String LONG = "'max_new_tokens': 32";
    private static final String HOT = LONG + ", 'temperature': 3";
    private static final String HOT_SEEDED = HOT + ", 'seed': 1";

    GenerateParametersIT() {
        super(
                "/generate",
                "{'inputs': '" + INPUTS + "', 'parameters': {'watermark': falsePARAMETERS}}",
                "/generated_text");
    }

    @Test
    void seed_same_givesTheSameAnswer() {
        Set<String> answers = new HashSet<>();
        for (int seed = 1; seed <= 3; seed++) {
            answers.add(answer(HOT + ", 'seed': " + seed));
            answers.add(answer(HOT + ", 'seed': " + seed));
        }
        assertThat(answers).hasSize(3).doesNotContain(answer(LONG));
    }

    @ParameterizedTest
    @ValueSource(strings = {"'top_k': 1", "'top_p': 0.000001"})
    void candidates_onlyTheLikeliest_areTheGreedyAnswer(String parameter) {
        assertThat(answer(HOT_SEEDED + ", " + parameter)).isEqualTo(answer(LONG));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'top_k': 2",
                "'top_p': 0.5",
                "'typical_p': 0.3",
                "'repetition_penalty': 3",
                "'frequency_penalty': 2",
                "'max_new_tokens': 3",
                "'return_full_text': true"
            })
    void parameter_alone_changesTheAnswer(String parameter) {
        String others = parameter.contains("max_new_tokens") ? HOT_SEEDED.substring(LONG.length() + 2) : HOT_SEEDED;

        assertThat(answer(others + ", " + parameter)).isNotEqualTo(answer(HOT_SEEDED));
    }

    @Test
    void doSample_asked_drawsTokens() {
        JsonNode greedy = ask(LONG + ", 'details': true, 'do_sample': false, 'seed': 5");
        JsonNode drawn = ask(LONG + ", 'details': true, 'do_sample': true, 'seed': 5");

        assertThat(greedy.at("/details/seed").isNull()).isTrue();
        assertThat(drawn.at("/details/seed").longValue()).isEqualTo(5);
        assertThat(greedy.get("generated_text").textValue()).isEqualTo(answer(LONG));
    }

    @Test
    void maxNewTokens_few_cutTheAnswer() {
        JsonNode details = ask("'max_new_tokens': 3, 'details': true").get("details");

        assertThat(details.get("generated_tokens").intValue()).isEqualTo(3);
        assertThat(details.get("tokens")).hasSize(3);
        assertThat(details.get("finish_reason").textValue()).isEqualTo("length");
    }

    @Test
    void returnFullText_asked_beginsWithTheInputs() {
        assertThat(answer(LONG + ", 'return_full_text': true"))
                .isEqualTo(INPUTS.replace("\\n", "\n") + answer(LONG + ", 'return_full_text': false"));
    }

    @Test
    void details_askedOrNot_areTold() {
        assertThat(ask(LONG).fieldNames()).toIterable().containsExactly("generated_text");
        JsonNode details = ask(LONG + ", 'details': true").get("details");
        assertThat(details.get("prefill")).isEmpty();
        assertThat(details.has("top_tokens")).isFalse();
        assertThat(ask(LONG + ", 'decoder_input_details': true").at("/details/prefill"))
                .isNotEmpty();
    }

    @Test
    void topNTokens_asked_areTheLikeliestOfEachPlace() {
        JsonNode details =
                ask("'max_new_tokens': 4, 'details': true, 'top_n_tokens': 3").get("details");

        assertThat(details.get("top_tokens")).hasSize(4);
        for (int i = 0; i < 4; i++) {
            JsonNode top = details.at("/top_tokens/" + i);
            assertThat(top).hasSize(3);
            assertThat(top.at("/0/id")).isEqualTo(details.at("/tokens/" + i + "/id"));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"'type': 'json'", "'type': 'json_object'", "'type': 'json_schema'"})
    void grammar_schema_isKept(String type) {
        String value = type.contains("json_schema") ? "{'schema': " + SCHEMA + "}" : SCHEMA;
        String grammar = ", 'grammar': {" + type + ", 'value': " + value + "}";

        assertKeepsSchema(answer(LONG + grammar));
        assertKeepsSchema(answer(HOT_SEEDED + grammar));
    }

    @Test
    void grammar_regex_isMatched() {
        String grammar = ", 'grammar': {'type': 'regex', 'value': '[0-9]{3}-[a-f]'}";

        assertThat(answer(HOT_SEEDED + grammar)).matches("[0-9]{3}-[a-f]");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'unknown': {}",
                "'do_sample': false, 'decoder_input_details': false, 'return_full_text': false, 'details': false",
                "'temperature': 1, 'best_of': 1, 'repetition_penalty': 1, 'frequency_penalty': 0, 'stop': []",
                "'temperature': null, 'top_k': null, 'top_p': null, 'typical_p': null, 'seed': null, 'grammar': null, "
                        + "'best_of': null, 'truncate': null, 'adapter_id': null, 'top_n_tokens': null, 'stop': null"
            })
    void parameter_withoutMeaning_changesNothing(String parameter) {
        assertThat(answer(LONG + ", " + parameter)).isEqualTo(answer(LONG));
    }
}
