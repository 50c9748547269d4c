package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.testing.MiniEvaluation;
import io.idefics.testing.MiniEvaluation.Question;
import io.idefics.testing.MiniEvaluation.Reference;
import java.io.IOException;
import java.nio.file.Files;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** The embedded model, asked through HTTP, is as good as its model card says. */
class MiniModelEvaluationIT extends RunningServer {

    private static final Logger log = LoggerFactory.getLogger(MiniModelEvaluationIT.class);

    /** The last cell of the row ALL in the table of the model card: the share on pictures of a different renderer. */
    private static final Pattern CARD_TOTAL = Pattern.compile("(?m)^\\| ALL \\|.*\\((\\d+)/(\\d+)\\) \\|$");

    private static final int ASKED_AT_ONCE = 8;

    private static final Map<Integer, String> ANSWERS = new LinkedHashMap<>();

    /** A count of right answers. */
    private record Accuracy(int right, int all) {

        double share() {
            return (double) right / all;
        }

        @Override
        public String toString() {
            return "%d/%d = %.1f %%".formatted(right, all, 100 * share());
        }
    }

    @BeforeEach
    void askAllQuestionsOnce() {
        if (ANSWERS.isEmpty()) {
            Flux.fromIterable(MiniEvaluation.questions())
                    .flatMapSequential(
                            question -> Mono.fromFuture(() -> postAsync(
                                            request(question.openAiMessages()).toString()))
                                    .map(response -> Map.entry(question.id(), text(response))),
                            ASKED_AT_ONCE)
                    .toIterable()
                    .forEach(answer -> ANSWERS.put(answer.getKey(), answer.getValue()));
        }
    }

    @Test
    void answers_allQuestions_areAsGoodAsTheModelCardSays() throws IOException {
        List<Question> questions = MiniEvaluation.questions();
        long right = questions.stream()
                .filter(question -> question.isAnsweredBy(ANSWERS.get(question.id())))
                .count();
        Accuracy actual = new Accuracy((int) right, questions.size());
        Accuracy card = modelCard();

        log.info("Accuracy: {}; the model card says {}", actual, card);
        assertThat(actual.share())
                .as("%s against %s of the model card", actual, card)
                .isGreaterThanOrEqualTo(card.share());
    }

    @Test
    void answers_referenceQuestions_areTheReference() {
        SoftAssertions softly = new SoftAssertions();
        for (Reference reference : MiniEvaluation.references()) {
            softly.assertThat(ANSWERS.get(reference.id()).strip())
                    .as("question %s", reference.id())
                    .isEqualTo(reference.float32Text());
        }
        softly.assertAll();
    }

    private static Accuracy modelCard() throws IOException {
        String card = Files.readString(MiniEvaluation.MODEL.resolve("README.md"));
        MatchResult total =
                CARD_TOTAL.matcher(card).results().findFirst().orElseThrow(() -> new AssertionError("no total"));
        return new Accuracy(Integer.parseInt(total.group(1)), Integer.parseInt(total.group(2)));
    }
}
