package io.idefics.engine;

import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * How an engine runs sequences.
 *
 * @param maxWaitingSequences how many sequences may wait for their turn on one model; more are refused
 * @param prefillChunkTokens how many tokens of a prompt are run in one step
 * @param closeTimeout how long closing waits for the running step to end
 */
@Validated
@ConfigurationProperties("idefics.engine")
public record EngineProperties(
        @DefaultValue("64") @Min(1) @Max(100_000) int maxWaitingSequences,
        @DefaultValue("512") @Min(16) @Max(65_536) int prefillChunkTokens,
        @DefaultValue("10s") Duration closeTimeout) {}
