package io.idefics.admission;

import jakarta.validation.constraints.Min;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * Who may come in.
 *
 * @param maxConcurrentRequests the most chat requests that are admitted at the same time, from before their
 *     body is read until their answer is written
 */
@Validated
@ConfigurationProperties("idefics.admission")
public record AdmissionProperties(@DefaultValue("64") @Min(1) int maxConcurrentRequests) {}
