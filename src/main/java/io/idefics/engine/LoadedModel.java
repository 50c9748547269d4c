package io.idefics.engine;

import io.idefics.model.VisionTextModel;

/**
 * What an engine runs.
 *
 * @param model the model, which the engine closes
 * @param caches how much it may keep on the device
 */
public record LoadedModel(VisionTextModel model, CacheSize caches) {}
