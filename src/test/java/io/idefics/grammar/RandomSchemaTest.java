package io.idefics.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.GenerationException;
import io.idefics.grammar.Answers.Taste;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Random schemas, and answers to them from senseless models: all of them parse and validate. */
class RandomSchemaTest {

    private static final int ANSWERS = 5;

    /** Other schemas with another number: how a long run is made. */
    private static final long RUN = Long.getLong("grammar.run", 0);

    @ParameterizedTest
    @CsvSource({"1, 400, 101", "2, 500, 202", "3, 400, 303", "4, 200, 404", "5, 100, 505"})
    void schema_anyTasteAndBudget_answersValidate(int depth, int count, long firstSeed) {
        int refused = 0;
        for (int i = 0; i < count; i++) {
            long seed = (RUN * 1_000 + firstSeed) * 1_000_000 + i;
            Random random = new Random(seed);
            JsonNode schema = new RandomSchemas(random).schema(depth);
            boolean full = i % 8 == 0;
            TokenGrammars grammars = full ? Answers.FULL_GRAMMARS : Answers.SMALL_GRAMMARS;
            TokenGrammar grammar;
            try {
                grammar = grammars.schema(schema, false, "schema");
            } catch (GenerationException e) {
                // Values of enum may happen to contradict, and objects to need each other without an end.
                assertThat(e.getMessage()).as("seed %s: %s", seed, schema).containsAnyOf("no string", "text that ends");
                refused++;
                continue;
            }
            Validation validation = new Validation(schema);
            int least = grammar.leastTokens();
            int[] budgets = {least, least + 1, least + random.nextInt(10), least + 40, least + 150};
            for (int n = 0; n < ANSWERS; n++) {
                Taste taste =
                        Answers.tastes().get(random.nextInt(Answers.tastes().size()));
                int budget = budgets[n];
                String description = "seed " + seed + ", " + taste + ", " + budget + " tokens";
                try {
                    validation.check(Answers.write(grammar, full, taste, budget, random), description);
                } catch (RuntimeException e) {
                    throw new AssertionError(description + " for " + schema, e);
                }
            }
        }
        assertThat(refused).isLessThan(count / 20 + 1);
    }
}
