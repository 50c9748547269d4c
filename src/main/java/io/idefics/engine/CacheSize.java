package io.idefics.engine;

/**
 * How much an engine keeps on the device.
 *
 * @param blocks blocks of keys and values of self-attention
 * @param imageSlots pictures whose keys and values of cross-attention are kept
 * @param latentSlots pictures whose latents are kept
 */
public record CacheSize(int blocks, int imageSlots, int latentSlots) {

    public CacheSize {
        if (blocks < 1 || imageSlots < 1 || latentSlots < 1) {
            throw new IllegalArgumentException("An engine needs at least 1 block, 1 image slot and 1 latent slot, not "
                    + blocks + ", " + imageSlots + " and " + latentSlots);
        }
    }
}
