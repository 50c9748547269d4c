package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.service.EngineProbe;
import java.net.http.HttpResponse;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Each parameter of a text completion does what it promises. */
class CompletionParametersIT extends EndpointParameters {

    private static final String PATH = "/v1/completions";
    private static final String PROMPT = "User: What can you see in pictures?<end_of_utterance>\\nAssistant:";
    private static final String LONG = "'ignore_eos': true, 'max_tokens': 32";
    private static final String HOT = LONG + ", 'temperature': 2, 'seed': 1";

    CompletionParametersIT() {
        super(PATH, "{'prompt': '" + PROMPT + "'PARAMETERS}", "/choices/0/text");
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
                "'presence_penalty': -2",
                "'frequency_penalty': 2",
                "'logit_bias': {'13': 100}",
                "'bad_words': ['e']"
            })
    void parameter_alone_changesTheAnswer(String parameter) {
        assertThat(answer(HOT + ", " + parameter)).isNotEqualTo(answer(HOT));
    }

    @Test
    void logitBias_ofAToken_decidesWhetherItComes() {
        int first = EngineProbe.tokenId(registry, " I");

        assertThat(answer("'max_tokens': 4")).startsWith(" I ");
        assertThat(answer("'max_tokens': 4, 'logit_bias': {'" + first + "': -100}"))
                .doesNotStartWith(" I ");
        assertThat(answer("'max_tokens': 3, 'ignore_eos': true, 'logit_bias': {'" + first + "': 100}"))
                .isEqualTo(" I I I");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "'ignore_eos': true | 16 | length",
                "'max_tokens': 3 | 3 | length",
                "'max_completion_tokens': 3 | 3 | length",
                "'max_tokens': 9, 'max_completion_tokens': 3 | 3 | length",
                "'max_tokens': 32, 'ignore_eos': true | 32 | length",
                "'max_tokens': 0, 'echo': true | 0 | length"
            })
    void maxTokens_given_cutTheAnswer(String parameters, int tokens, String reason) {
        JsonNode answer = ask(parameters);

        assertThat(answer.at("/usage/completion_tokens").intValue()).isEqualTo(tokens);
        assertThat(answer.at("/choices/0/finish_reason").textValue()).isEqualTo(reason);
    }

    @Test
    void maxLength_promptAndAnswer_areNoLonger() {
        assertThat(ask("'max_length': 25, 'ignore_eos': true")
                        .at("/usage/total_tokens")
                        .intValue())
                .isEqualTo(25);
        assertThat(ask("'max_length': 25, 'max_tokens': 2")
                        .at("/usage/completion_tokens")
                        .intValue())
                .isEqualTo(2);
    }

    @Test
    void minTokens_beyondTheEnd_goesOn() {
        JsonNode natural = ask("'max_tokens': 60");
        int tokens = natural.at("/usage/completion_tokens").intValue();

        assertThat(natural.at("/choices/0/finish_reason").textValue()).isEqualTo("stop");
        assertThat(ask("'max_tokens': 60, 'min_tokens': " + (tokens + 3))
                        .at("/usage/completion_tokens")
                        .intValue())
                .isGreaterThanOrEqualTo(tokens + 3);
    }

    @Test
    void stopTokenIds_aToken_endBeforeIt() {
        String whole = answer("'max_tokens': 60");
        int period = EngineProbe.tokenId(registry, ".");

        JsonNode answer = ask("'max_tokens': 60, 'stop_token_ids': [" + period + "]");

        assertThat(whole).contains(".");
        assertThat(answer.at("/choices/0/text").textValue()).isEqualTo(whole.substring(0, whole.indexOf('.')));
        assertThat(answer.at("/choices/0/finish_reason").textValue()).isEqualTo("stop");
    }

    @Test
    void stop_severalStrings_endAtTheFirst() {
        assertThat(answer(LONG + ", 'stop': ['colors', 'xyz', 'simple']")).isEqualTo(" I can describe ");
        assertThat(answer(LONG + ", 'stop': ['colors', 'simple'], 'include_stop_str_in_output': true"))
                .isEqualTo(" I can describe simple");
    }

    @Test
    void badWords_inTheAnswer_areAvoided() {
        assertThat(answer(LONG)).contains("shapes", "simple");
        assertThat(answer(LONG + ", 'bad_words': ['shapes', 'simple']")).doesNotContain("shapes", "simple");
    }

    @Test
    void n_several_answersSeveral() {
        JsonNode answer = ask(HOT + ", 'n': 3");

        assertThat(answer.get("choices")).hasSize(3);
        assertThat(answer.get("choices").findValuesAsText("text")).doesNotHaveDuplicates();
        assertThat(answer.at("/usage/completion_tokens").intValue()).isEqualTo(96);
    }

    @Test
    void bestOf_hotSamples_areNoLessLikelyThanTheFirst() {
        for (int seed = 1; seed <= 3; seed++) {
            String sample = "'max_tokens': 16, 'ignore_eos': true, 'temperature': 2, 'logprobs': 0, 'seed': " + seed;
            JsonNode one = ask(sample + ", 'best_of': 1");
            JsonNode best = ask(sample + ", 'best_of': 6");

            assertThat(best.get("choices")).hasSize(1);
            assertThat(mean(best)).isGreaterThanOrEqualTo(mean(one) - 1e-4);
            assertThat(best.at("/usage/completion_tokens").intValue()).isEqualTo(6 * 16);
        }
    }

    @Test
    void logprobs_asked_areTold() {
        assertThat(ask("'max_tokens': 3").at("/choices/0/logprobs").isNull()).isTrue();
        JsonNode chosen = ask("'max_tokens': 3, 'logprobs': 0").at("/choices/0/logprobs");
        JsonNode top = ask("'max_tokens': 3, 'logprobs': 4").at("/choices/0/logprobs");

        assertThat(chosen.get("tokens")).hasSize(3);
        assertThat(chosen.get("token_logprobs")).hasSize(3).allSatisfy(logprob -> assertThat(logprob.doubleValue())
                .isBetween(-20.0, 0.0));
        assertThat(top.get("tokens")).isEqualTo(chosen.get("tokens"));
        assertThat(top.get("top_logprobs")).hasSize(3).allSatisfy(token -> assertThat(token.size())
                .isEqualTo(4));
    }

    @Test
    void returnTokensAsTokenIds_asked_tellsIds() {
        int first = EngineProbe.tokenId(registry, " I");

        JsonNode logprobs = ask("'max_tokens': 2, 'logprobs': 0, 'return_tokens_as_token_ids': true")
                .at("/choices/0/logprobs/tokens");

        assertThat(strings(logprobs)).first().isEqualTo("token_id:" + first);
    }

    @Test
    void echo_asked_beginsWithThePrompt() {
        String prompt = "User: What can you see in pictures? \nAssistant:";

        assertThat(answer("'echo': true, 'max_tokens': 4")).isEqualTo(prompt + answer("'max_tokens': 4"));
    }

    @Test
    void prompt_everyKind_isTheSamePrompt() {
        String whole = answer(LONG);
        JsonNode tokens = json(post("/tokenize", ("{'prompt': '" + PROMPT + "'}").replace('\'', '"')));

        for (String prompt : List.of(
                tokens.get("tokens").toString(),
                "['" + PROMPT + "']",
                "[" + tokens.get("tokens") + "]",
                "[['" + PROMPT + "']]",
                "[{'type': 'text', 'text': '" + PROMPT + "'}]",
                "['User: What can you see in pictures?', {'type': 'text', 'text': '<end_of_utterance>\\nAssistant:'}]")) {
            JsonNode answer = json(prompt(prompt, LONG));
            assertThat(answer.at("/choices/0/text").textValue()).as(prompt).isEqualTo(whole);
            assertThat(answer.at("/usage/prompt_tokens").intValue())
                    .isEqualTo(tokens.get("count").intValue());
        }
    }

    @Test
    void addEndOfUtteranceToken_asked_isBetweenTexts() {
        String texts = "[['A dog.', 'A cat.']]";
        String echo = "'echo': true, 'max_tokens': 0, 'logprobs': 0";

        JsonNode with = json(prompt(texts, echo + ", 'add_end_of_utterance_token': true"));
        JsonNode without = json(prompt(texts, echo + ", 'add_end_of_utterance_token': false"));

        assertThat(String.join("", strings(with.at("/choices/0/logprobs/tokens"))))
                .isEqualTo("<s> A dog.<end_of_utterance> A cat.");
        assertThat(String.join("", strings(without.at("/choices/0/logprobs/tokens"))))
                .isEqualTo("<s> A dog.A cat.");
        assertThat(json(prompt(texts, echo)).get("usage")).isEqualTo(without.get("usage"));
    }

    @Test
    void truncatePromptTokens_few_keepTheEnd() {
        String echo = "'echo': true, 'max_tokens': 0, 'logprobs': 0";
        List<String> whole = strings(ask(echo).at("/choices/0/logprobs/tokens"));

        JsonNode answer = ask(echo + ", 'truncate_prompt_tokens': 3");

        assertThat(answer.at("/usage/prompt_tokens").intValue()).isEqualTo(3);
        assertThat(strings(answer.at("/choices/0/logprobs/tokens")))
                .isEqualTo(whole.subList(whole.size() - 3, whole.size()));
    }

    @Test
    void stream_asked_isAStream() {
        String stream = send("'max_tokens': 3, 'stream': true").body();
        String withUsage = send("'max_tokens': 3, 'stream': true, 'stream_options': {'include_usage': true}")
                .body();

        assertThat(stream).startsWith("data: ").endsWith("data: [DONE]\n\n").doesNotContain("\"usage\":{");
        assertThat(withUsage).contains("\"choices\":[],\"usage\":{\"prompt_tokens\"");
    }

    @Test
    void suffix_text_isRefused() {
        HttpResponse<String> response = send("'suffix': ' the end'");

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(json(response).at("/error/param").textValue()).isEqualTo("suffix");
        assertThat(answer("'suffix': ''")).isEqualTo(answer(""));
    }

    @ParameterizedTest
    @ValueSource(strings = {"'structured_outputs': {'json': SCHEMA}", "'guided_json': SCHEMA"})
    void schema_given_isKept(String parameter) {
        assertKeepsSchema(answer(LONG + ", " + parameter.replace("SCHEMA", SCHEMA)));
    }

    @Test
    void responseFormat_schema_isKept() {
        assertKeepsSchema(answer("'max_tokens': 32, 'response_format': {'type': 'json_schema', 'json_schema': "
                + "{'name': 'a', 'schema': " + SCHEMA + "}}"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "'guided_regex': '[0-9]{3}-[a-f]' ; [0-9]{3}-[a-f]",
                "'structured_outputs': {'regex': '(cat|dog)s'} ; (cat|dog)s",
                "'guided_choice': ['a cat', 'a dog'] ; a (cat|dog)",
                "'structured_outputs': {'choice': ['a cat', 'a dog']} ; a (cat|dog)"
            })
    void form_given_isKept(String parameter, String pattern) {
        assertThat(answer("'max_tokens': 32, " + parameter)).matches(pattern);
        assertThat(answer(HOT + ", " + parameter)).matches(pattern);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'user': 'me'",
                "'unknown': {}",
                "'suffix': null, 'best_of': null, 'logprobs': null, 'echo': null, 'stop': null, 'n': null, 'seed': null",
                "'response_format': {'type': 'text'}",
                "'best_of': 1, 'n': 1"
            })
    void parameter_withoutMeaning_changesNothing(String parameter) {
        assertThat(answer(parameter)).isEqualTo(answer(""));
    }

    private HttpResponse<String> prompt(String prompt, String parameters) {
        return post(PATH, ("{'prompt': " + prompt + ", " + parameters + "}").replace('\'', '"'));
    }

    private static double mean(JsonNode answer) {
        return StreamSupport.stream(
                        answer.at("/choices/0/logprobs/token_logprobs").spliterator(), false)
                .mapToDouble(JsonNode::doubleValue)
                .average()
                .orElseThrow();
    }
}
