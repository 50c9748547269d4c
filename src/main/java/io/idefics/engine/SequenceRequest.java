package io.idefics.engine;

import io.idefics.generation.SamplingParams;
import io.idefics.model.ModelInput;
import java.util.Set;

/**
 * What the engine needs to run a sequence.
 *
 * @param input the prompt
 * @param sampling how tokens are chosen
 * @param maxTokens the most tokens to generate, at least 1
 * @param stopIds tokens that end the sequence
 * @param bannedIds tokens that are never generated
 */
public record SequenceRequest(
        ModelInput input, SamplingParams sampling, int maxTokens, Set<Integer> stopIds, int[] bannedIds) {}
