package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.service.EngineProbe;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Each parameter of a chat does what it promises: requests that differ in it alone have answers that must differ. */
class ParameterEffectsIT extends RunningServer {

    /** The small model is sure of its answers, but not of what follows them. */
    private static final String LONG = "'ignore_eos': true, 'max_tokens': 48";

    private static final String HOT = LONG + ", 'temperature': 2, 'seed': 1";
    private static final String QUESTION = "'messages': [{'role': 'user', 'content': 'What can you see in pictures?'}]";
    private static final String BEGUN = "'messages': [{'role': 'user', 'content': 'What can you see in pictures?'}, "
            + "{'role': 'assistant', 'content': 'I can describe simple'}]";

    @Test
    void temperature_high_leavesTheGreedyAnswer() {
        assertThat(text(LONG + ", 'temperature': 2, 'seed': 1")).isNotEqualTo(text(LONG));
        assertThat(text(LONG + ", 'temperature': 0, 'seed': 1")).isEqualTo(text(LONG));
    }

    @Test
    void seed_same_givesTheSameAnswer() {
        Set<String> answers = new HashSet<>();
        for (int seed = 1; seed <= 4; seed++) {
            String parameters = LONG + ", 'temperature': 2, 'seed': " + seed;
            String answer = text(parameters);
            assertThat(text(parameters)).isEqualTo(answer);
            answers.add(answer);
        }
        assertThat(answers).hasSize(4);
    }

    @ParameterizedTest
    @ValueSource(strings = {"'top_k': 1", "'top_p': 0.000001", "'min_p': 1"})
    void candidates_onlyTheLikeliest_areTheGreedyAnswer(String parameter) {
        assertThat(text(HOT)).isNotEqualTo(text(LONG));
        assertThat(text(HOT + ", " + parameter)).isEqualTo(text(LONG));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'typical_p': 0.3",
                "'top_k': 2",
                "'top_p': 0.5",
                "'min_p': 0.5",
                "'repetition_penalty': 2",
                "'presence_penalty': 2",
                "'frequency_penalty': 2",
                "'logit_bias': {'13': 100}",
                "'bad_words': ['e']",
                "'max_tokens': 5",
                "'max_completion_tokens': 5",
                "'max_length': 40",
                "'stop': 'numbers'",
                "'stop': ['xyz', 'numbers']",
                "'include_stop_str_in_output': true, 'stop': 'numbers'"
            })
    void parameter_alone_changesTheAnswer(String parameter) {
        assertThat(text(HOT.replace(parameter.contains("'max_") ? "'max_tokens': 48, " : "none", "") + ", "
                        + parameter))
                .isNotEqualTo(text(HOT));
    }

    @Test
    void typicalP_small_prefersTheExpectedInformation() {
        assertThat(text(HOT + ", 'typical_p': 0.3")).isNotEqualTo(text(HOT + ", 'typical_p': 1"));
    }

    @ParameterizedTest
    @CsvSource({"presence_penalty, 2", "frequency_penalty, 2", "repetition_penalty, 3"})
    void penalty_high_endsRepetition(String name, String value) {
        assertThat(distinctWords(LONG + ", '" + name + "': " + value)).isGreaterThan(distinctWords(LONG));
    }

    @Test
    void presencePenalty_negative_wantsRepetition() {
        assertThat(distinctWords(LONG + ", 'presence_penalty': -2")).isLessThanOrEqualTo(distinctWords(LONG));
        assertThat(text(HOT + ", 'presence_penalty': -2")).isNotEqualTo(text(HOT));
    }

    @Test
    void logitBias_ofAToken_decidesWhetherItComes() {
        int first = EngineProbe.tokenId(registry, " I");

        assertThat(text("'max_tokens': 4, 'logit_bias': {'" + first + "': -100}"))
                .doesNotStartWith("I");
        assertThat(text("'max_tokens': 4, 'ignore_eos': true, 'logit_bias': {'" + first + "': 100}"))
                .isEqualTo("I I I I");
    }

    @Test
    void maxTokens_few_cutTheAnswer() {
        for (String name : List.of("max_tokens", "max_completion_tokens")) {
            JsonNode answer = ask("'" + name + "': 3");

            assertThat(answer.at("/usage/completion_tokens").intValue()).isEqualTo(3);
            assertThat(answer.at("/choices/0/finish_reason").textValue()).isEqualTo("length");
        }
        assertThat(ask("'max_tokens': 9, 'max_completion_tokens': 2")
                        .at("/usage/completion_tokens")
                        .intValue())
                .isEqualTo(2);
    }

    @Test
    void maxLength_promptAndAnswer_areNoLonger() {
        JsonNode answer = ask("'max_length': 25");

        assertThat(answer.at("/usage/total_tokens").intValue()).isEqualTo(25);
    }

    @Test
    void minTokens_beyondTheEnd_goesOn() {
        int natural = ask("").at("/usage/completion_tokens").intValue();
        JsonNode answer = ask("'min_tokens': " + (natural + 5));

        assertThat(answer.at("/usage/completion_tokens").intValue()).isGreaterThan(natural + 4);
    }

    @Test
    void ignoreEos_answer_fillsTheLimit() {
        JsonNode answer = ask(LONG);

        assertThat(answer.at("/usage/completion_tokens").intValue()).isEqualTo(48);
        assertThat(answer.at("/choices/0/finish_reason").textValue()).isEqualTo("length");
        assertThat(ask("'max_tokens': 48").at("/choices/0/finish_reason").textValue())
                .isEqualTo("stop");
    }

    @Test
    void stop_string_endsBeforeIt() {
        assertThat(text("'stop': 'numbers'"))
                .isEqualTo(text("'stop': ['x', 'numbers']"))
                .isEqualTo("I can describe simple pictures: shapes, colors, ");
        assertThat(text("'stop': 'numbers', 'include_stop_str_in_output': true"))
                .isEqualTo("I can describe simple pictures: shapes, colors, numbers");
    }

    @Test
    void stopTokenIds_aToken_endsBeforeIt() {
        String all = text("");
        int period = EngineProbe.tokenId(registry, ".");

        assertThat(text("'stop_token_ids': [" + period + "]")).isEqualTo(all.substring(0, all.indexOf('.')));
    }

    @Test
    void badWords_inTheAnswer_areAvoided() {
        assertThat(text("")).contains("shapes");
        assertThat(text("'bad_words': ['shapes', 'simple']")).doesNotContain("shapes", "simple");
        assertThat(text(HOT + ", 'bad_words': ['e', 'a']")).doesNotContain("e", "a");
    }

    @Test
    void n_several_answersSeveral() {
        JsonNode answer = ask("'n': 3, 'temperature': 2, 'seed': 7, " + LONG);

        assertThat(values(answer.get("choices"), choice -> choice.at("/message/content")
                        .textValue()))
                .hasSize(3)
                .doesNotHaveDuplicates();
    }

    @Test
    void logprobs_asked_areTold() {
        assertThat(ask("").at("/choices/0/logprobs").isNull()).isTrue();
        JsonNode token = ask("'logprobs': true").at("/choices/0/logprobs/content/0");
        assertThat(token.get("logprob").doubleValue()).isBetween(-20.0, 0.0);
        assertThat(token.get("bytes").size())
                .isEqualTo(token.get("token").textValue().length());
        assertThat(token.get("top_logprobs").size()).isZero();
        assertThat(ask("'logprobs': true, 'top_logprobs': 4")
                        .at("/choices/0/logprobs/content/0/top_logprobs")
                        .size())
                .isEqualTo(4);
    }

    @Test
    void stream_asked_isAStream() {
        String plain = post(body("")).body();
        String stream = post(body("'stream': true")).body();
        String withUsage = post(body("'stream': true, 'stream_options': {'include_usage': true}"))
                .body();

        assertThat(plain).startsWith("{").contains("\"usage\"");
        assertThat(stream).startsWith("data: ").endsWith("data: [DONE]\n\n").doesNotContain("\"usage\"");
        assertThat(withUsage).contains("\"choices\":[],\"usage\":{\"prompt_tokens\"");
    }

    @Test
    void continueFinalMessage_begunAnswer_goesOn() {
        String whole = text("");
        String rest = text(json(post(json("{" + BEGUN + ", 'continue_final_message': true}"))));
        String echoed = text(json(post(json(
                "{" + BEGUN + ", 'continue_final_message': true, 'add_generation_prompt': false, 'echo': true}"))));

        assertThat("I can describe simple" + rest).isEqualTo(whole).isEqualTo(echoed);
        assertThat(post(json("{" + BEGUN + "}")).statusCode()).isEqualTo(400);
    }

    @Test
    void messages_system_changesThePrompt() {
        int without = ask("").at("/usage/prompt_tokens").intValue();
        JsonNode with =
                json(post(json("{" + QUESTION.replace("[", "[{'role': 'system', 'content': 'Be brief.'}, ") + "}")));

        assertThat(with.at("/usage/prompt_tokens").intValue()).isGreaterThan(without);
    }

    @Test
    void model_unknown_isRefused() {
        assertThat(ask("'model': '" + modelId() + "'").get("model").textValue()).isEqualTo(modelId());
        assertThat(post(body("'model': 'another'")).statusCode()).isEqualTo(404);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'user': 'me'",
                "'metadata': {'a': 'b'}",
                "'store': true",
                "'service_tier': 'auto'",
                "'parallel_tool_calls': false",
                "'modalities': ['text']",
                "'prediction': {'type': 'content', 'content': 'x'}",
                "'reasoning_effort': 'low'",
                "'verbosity': 'low'",
                "'safety_identifier': 'x'",
                "'prompt_cache_key': 'x'",
                "'web_search_options': {}",
                "'moderation': {}",
                "'tools': [{'type': 'function', 'function': {'name': 'f'}}], 'tool_choice': 'auto'",
                "'stream_options': {'include_obfuscation': true}",
                "'temperature': null, 'n': null, 'stop': null, 'seed': null, 'response_format': null, 'logit_bias': null",
                "'response_format': {'type': 'text'}"
            })
    void parameter_withoutMeaning_changesNothing(String parameter) {
        assertThat(text(parameter)).isEqualTo(text(""));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'response_format': {'type': 'json_object'}",
                "'structured_outputs': {'json_object': true}",
            })
    void jsonObject_asked_isTheAnswer(String parameter) throws IOException {
        for (String more : List.of("", ", 'temperature': 2, 'seed': 5", ", 'max_tokens': 12, 'ignore_eos': true")) {
            JsonNode answer = ask(parameter + more);

            assertThat(JSON.readTree(text(answer)).isObject()).isTrue();
            assertThat(answer.at("/choices/0/finish_reason").textValue()).isEqualTo("stop");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"'structured_outputs': {'regex': '[0-9]{3}-[a-f]{2,5}'}", "'guided_regex': '[0-9]{3}-[a-f]{2,5}'"
            })
    void regex_asked_isMatched(String parameter) {
        assertThat(text(parameter)).matches("[0-9]{3}-[a-f]{2,5}");
        assertThat(text(HOT + ", " + parameter)).matches("[0-9]{3}-[a-f]{2,5}");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"'structured_outputs': {'choice': ['a cat', 'a dog']}", "'guided_choice': ['a cat', 'a dog']"})
    void choice_asked_isMade(String parameter) {
        assertThat(text(parameter)).isIn("a cat", "a dog");
        assertThat(text(HOT + ", " + parameter)).isIn("a cat", "a dog");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'response_format': {'type': 'json_schema', 'json_schema': {'name': 'a', 'strict': true, 'schema': SCHEMA}}",
                "'structured_outputs': {'json': SCHEMA}",
                "'guided_json': SCHEMA"
            })
    void jsonSchema_asked_isSatisfied(String parameter) throws IOException {
        String schema = "{'type': 'object', 'properties': {'colour': {'enum': ['red', 'blue']}, 'count': {'type': "
                + "'integer', 'minimum': 3, 'maximum': 17}}, 'required': ['colour', 'count'], 'additionalProperties': false}";
        for (String more : List.of("", ", " + HOT)) {
            JsonNode answer = JSON.readTree(text(parameter.replace("SCHEMA", schema) + more));

            assertThat(answer.fieldNames()).toIterable().containsExactly("colour", "count");
            assertThat(answer.get("colour").textValue()).isIn("red", "blue");
            assertThat(answer.get("count").intValue()).isBetween(3, 17);
        }
    }

    @Test
    void jsonSchema_notSupported_isRefused() {
        HttpResponse<String> response = post(body("'guided_json': {'type': 'array', 'uniqueItems': true}"));

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(json(response).at("/error/param").textValue()).isEqualTo("guided_json");
        assertThat(json(response).at("/error/message").textValue()).contains("uniqueItems");
        assertThat(post(body("'guided_json': '{'")).statusCode()).isEqualTo(400);
        assertThat(post(body("'guided_json': ''")).statusCode()).isEqualTo(400);
    }

    @Test
    void form_tooLongForTheLimit_isRefused() {
        HttpResponse<String> response = post(body("'max_tokens': 2, 'guided_regex': '[0-9]{30}'"));

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(json(response).at("/error/message").textValue())
                .contains("2 tokens")
                .contains("30");
    }

    private long distinctWords(String parameters) {
        return Stream.of(text(parameters).split("\\W+")).distinct().count();
    }

    private JsonNode ask(String parameters) {
        return json(post(body(parameters)));
    }

    private String text(String parameters) {
        return text(post(body(parameters)));
    }

    private static String text(JsonNode answer) {
        return answer.at("/choices/0/message/content").textValue();
    }

    private static String body(String parameters) {
        return json("{" + QUESTION + (parameters.isEmpty() ? "" : ", ") + parameters + "}");
    }

    private static String json(String quoted) {
        return quoted.replace('\'', '"');
    }

    private static <T> List<T> values(JsonNode array, Function<JsonNode, T> value) {
        return new ArrayList<>(
                StreamSupport.stream(array.spliterator(), false).map(value).toList());
    }
}
