package io.idefics.service;

import io.idefics.generation.Usage;
import java.util.List;

/**
 * How likely each of some answers to a conversation is.
 *
 * @param scores one for each answer, in the order of the request
 * @param usage what it cost
 */
public record Classification(List<Score> scores, Usage usage) {

    public Classification {
        scores = List.copyOf(scores);
    }

    /**
     * How likely an answer is.
     *
     * @param text the answer
     * @param logprob the natural logarithm of the probability that the model gives this answer and ends its turn
     * @param probability its probability among the answers alone; those of all sum up to 1
     * @param tokens how many tokens it has, the one that ends the turn included
     */
    public record Score(String text, double logprob, double probability, int tokens) {}
}
