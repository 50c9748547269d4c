package io.idefics.engine;

import io.idefics.generation.Priority;
import io.idefics.generation.SamplingParams;
import io.idefics.model.ModelInput;
import java.time.Duration;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What the engine needs to run a sequence. The choices of one answer are several requests with the same instance of
 * {@link ModelInput}.
 *
 * @param input the prompt
 * @param sampling how tokens are chosen
 * @param maxTokens the most tokens to generate; 0 only runs the prompt
 * @param minTokens how many tokens are generated before one of {@code stopIds} may be
 * @param stopIds tokens that end the sequence
 * @param bannedIds tokens that are never generated
 * @param topLogprobs how many alternatives to tell for each token besides its own log-probability; -1 for no
 *     log-probabilities at all
 * @param promptLogprobsFrom from which token of the prompt on log-probabilities are told, at least 1; -1 for none
 * @param constraint which tokens may be generated, made for this sequence alone; null for any
 * @param client whose turn it is when sequences wait: clients of one priority take turns
 * @param priority whose turn comes first
 * @param queueTimeout how long the sequence may wait for its first step; null for any time
 */
public record SequenceRequest(
        ModelInput input,
        SamplingParams sampling,
        int maxTokens,
        int minTokens,
        Set<Integer> stopIds,
        int[] bannedIds,
        int topLogprobs,
        int promptLogprobsFrom,
        @Nullable TokenConstraint constraint,
        String client,
        Priority priority,
        @Nullable Duration queueTimeout) {

    /** No log-probabilities are told. */
    public static final int NO_LOGPROBS = -1;

    /** A sequence of normal priority that tells nothing of its prompt and may generate any token. */
    public SequenceRequest(
            ModelInput input,
            SamplingParams sampling,
            int maxTokens,
            int minTokens,
            Set<Integer> stopIds,
            int[] bannedIds,
            int topLogprobs,
            String client,
            @Nullable Duration queueTimeout) {
        this(
                input,
                sampling,
                maxTokens,
                minTokens,
                stopIds,
                bannedIds,
                topLogprobs,
                NO_LOGPROBS,
                null,
                client,
                Priority.NORMAL,
                queueTimeout);
    }

    /** A sequence that ends at any time, tells no log-probabilities and belongs to nobody in particular. */
    public SequenceRequest(
            ModelInput input, SamplingParams sampling, int maxTokens, Set<Integer> stopIds, int[] bannedIds) {
        this(input, sampling, maxTokens, 0, stopIds, bannedIds, NO_LOGPROBS, "", null);
    }
}
