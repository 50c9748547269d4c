package io.idefics.service;

/**
 * What clients may know of a served model.
 *
 * @param id the name by which requests ask for it
 * @param created when it was loaded, in seconds since the epoch
 * @param contextLength the most tokens of prompt and answer together
 */
public record ModelDescription(String id, long created, int contextLength) {}
