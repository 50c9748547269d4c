package io.idefics.web;

import jakarta.validation.constraints.DecimalMax;
import jakarta.validation.constraints.DecimalMin;
import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * What holds where a request does not say, and how much one may ask for.
 *
 * @param defaultTemperature the temperature, 0 to 2. OpenAI's is 1; here it is 0, greedy decoding, with which
 *     small vision-language models answer best
 * @param maxChoices the most answers to one prompt ({@code n}), 1 to 128
 * @param maxPrompts the most prompts of one request, 1 to 1024
 */
@Validated
@ConfigurationProperties("idefics.generation")
public record GenerationProperties(
        @DefaultValue("0") @DecimalMin("0") @DecimalMax("2") double defaultTemperature,
        @DefaultValue("8") @Min(1) @Max(128) int maxChoices,
        @DefaultValue("32") @Min(1) @Max(1024) int maxPrompts) {}
