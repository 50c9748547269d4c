package io.idefics.testing;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.idefics.testing.MiniEvaluation.Question;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The matcher has to be able to say no. */
class MiniEvaluationTest {

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
            The ring is purple.                       | purple              | true
            The ring is Purple.                       | purple              | true
            The ring is purplish.                     | purple              | false
            The ring is red.                          | purple              | false
            It is light blue.                         | blue                | false
            It is light blue.                         | light blue          | true
            It is light, blue.                        | light blue          | false
            One is red and one is green.              | red,green           | true
            One is red and one is blue.               | red,green           | false
            A star and a star.                        | star,star           | true
            A star and a circle.                      | star,star           | false
            It is a letter.                           | A                   | false
            It is A.                                  | A                   | true
            It is in the Top left corner.             | top left            | true
            No, it is red, so the answer is yes.      | yes                 | false
            It is red, so the answer is yes.          | yes                 | true
            """)
    void isAnsweredBy_answer_followsTheRules(String answer, String facts, boolean right) {
        Question question = new Question(0, "", JsonNodeFactory.instance.arrayNode(), List.of(facts.split(",")));

        assertThat(question.isAnsweredBy(answer)).isEqualTo(right);
    }
}
