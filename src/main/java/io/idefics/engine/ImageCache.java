package io.idefics.engine;

import io.idefics.model.PixelValues;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Knows which pictures are on the device, as latents and as keys and values, and which have to get there next. */
final class ImageCache {

    /*
     * Two tiers of slots, both by content digest: latents, what the resampler makes of a picture, and keys and values of
     * the gated blocks, which tokens read. A picture goes absent -> encoding -> latents -> resident; latents are small
     * and dear, so they stay when keys and values have to go, and may themselves go while keys and values stay.
     *
     * Invariants:
     * - A pinned picture has an image slot from its first pin on, so that a sequence that was admitted never waits for
     *   one. A picture that is neither pinned nor resident has none.
     * - Latents on which a projection waits, and the slots of a batch in the tower, cannot be evicted.
     * - One batch is in the tower at a time, and no picture is in it twice.
     */

    /** A picture to encode: its latents go to a latent slot. */
    record Encoding(String digest, PixelValues pixels, int latentSlot) {}

    /** Latents to project into an image slot. */
    record Projection(String digest, int latentSlot, int imageSlot) {}

    /** How far a picture has come. */
    enum State {
        ABSENT,
        ENCODING,
        LATENTS,
        RESIDENT
    }

    private static final int NONE = -1;

    private static final class Entry {

        final String digest;
        int pins;
        int imageSlot = NONE;
        int latentSlot = NONE;
        boolean encoded;
        boolean resident;
        boolean alone; // what came of a batch that failed is encoded apart

        @Nullable
        PixelValues pixels; // while it is pinned and not resident

        Entry(String digest) {
            this.digest = digest;
        }

        State state() {
            if (resident) {
                return State.RESIDENT;
            }
            return latentSlot == NONE ? State.ABSENT : encoded ? State.LATENTS : State.ENCODING;
        }
    }

    private final int imageSlots;
    private final int latentSlots;
    private final BitSet freeImageSlots = new BitSet();
    private final BitSet freeLatentSlots = new BitSet();
    private final Map<String, Entry> entries = new HashMap<>();

    /** Pinned and not resident, in the order in which they were asked for. */
    private final Set<Entry> pending = new LinkedHashSet<>();

    /** Resident and not pinned, least recently used first. */
    private final Set<Entry> idleImages = new LinkedHashSet<>();

    /** With latents on which no projection waits, least recently used first. */
    private final Set<Entry> idleLatents = new LinkedHashSet<>();

    private List<Entry> encoding = List.of();
    private long residentHits;
    private long latentHits;
    private long misses;
    private long imageEvictions;
    private long latentEvictions;

    /**
     * @param imageSlots slots for keys and values, at least 1
     * @param latentSlots slots for latents, at least 1
     */
    ImageCache(int imageSlots, int latentSlots) {
        if (imageSlots < 1 || latentSlots < 1) {
            throw new IllegalArgumentException("A picture cache needs at least 1 image slot and 1 latent slot, not "
                    + imageSlots + " and " + latentSlots);
        }
        this.imageSlots = imageSlots;
        this.latentSlots = latentSlots;
        freeImageSlots.set(0, imageSlots);
        freeLatentSlots.set(0, latentSlots);
    }

    int imageSlots() {
        return imageSlots;
    }

    int latentSlots() {
        return latentSlots;
    }

    int freeImageSlots() {
        return freeImageSlots.cardinality();
    }

    int freeLatentSlots() {
        return freeLatentSlots.cardinality();
    }

    /** The number of pictures whose keys and values are there and which no sequence pins. */
    int idleImages() {
        return idleImages.size();
    }

    /** The number of latents that could be evicted. */
    int idleLatents() {
        return idleLatents.size();
    }

    /** Pins that found keys and values. */
    long residentHits() {
        return residentHits;
    }

    /** Pins that found latents, or found them on their way for another sequence. */
    long latentHits() {
        return latentHits;
    }

    /** Pins of pictures that had to be encoded. */
    long misses() {
        return misses;
    }

    long imageEvictions() {
        return imageEvictions;
    }

    long latentEvictions() {
        return latentEvictions;
    }

    State state(String digest) {
        Entry entry = entries.get(digest);
        return entry == null ? State.ABSENT : entry.state();
    }

    int pins(String digest) {
        Entry entry = entries.get(digest);
        return entry == null ? 0 : entry.pins;
    }

    /** Whether tokens that see a picture can run in the next step, after a projection perhaps. */
    boolean isReady(String digest) {
        State state = state(digest);
        return state == State.RESIDENT || state == State.LATENTS;
    }

    /** Whether there are image slots for all of some pictures at once. */
    boolean fits(Collection<String> digests) {
        int needed = 0;
        int idleAmongThem = 0;
        for (String digest : digests) {
            Entry entry = entries.get(digest);
            if (entry == null || entry.imageSlot == NONE) {
                needed++;
            } else if (entry.pins == 0) {
                idleAmongThem++;
            }
        }
        return needed <= freeImageSlots() + idleImages.size() - idleAmongThem;
    }

    /**
     * Keeps a picture for one more sequence, and has it encoded or projected if need be. To pin several, pin those that
     * have a slot first, or the others may evict them: {@link #pinAll} does.
     *
     * @return the image slot of the picture while it is pinned
     */
    int pin(String digest, PixelValues pixels) {
        Entry entry = entries.computeIfAbsent(digest, Entry::new);
        count(entry);
        if (entry.pins++ == 0) {
            if (entry.resident) {
                idleImages.remove(entry);
            } else {
                entry.imageSlot = takeImageSlot();
                entry.pixels = pixels;
                pending.add(entry);
            }
        }
        touchLatents(entry);
        return entry.imageSlot;
    }

    /** Pins pictures that fit, see {@link #fits}; the answer has the image slot of each. */
    Map<String, Integer> pinAll(Map<String, PixelValues> pictures) {
        Map<String, Integer> slots = new HashMap<>();
        pictures.forEach((digest, pixels) -> {
            if (state(digest) == State.RESIDENT) {
                slots.put(digest, pin(digest, pixels));
            }
        });
        pictures.forEach((digest, pixels) -> {
            if (!slots.containsKey(digest)) {
                slots.put(digest, pin(digest, pixels));
            }
        });
        return slots;
    }

    /** Undoes one pin. */
    void unpin(String digest) {
        Entry entry = entries.get(digest);
        if (entry == null || entry.pins == 0) {
            throw new IllegalStateException("Nobody pins picture " + digest);
        }
        if (--entry.pins == 0) {
            if (entry.resident) {
                idleImages.add(entry);
            } else {
                pending.remove(entry);
                entry.pixels = null;
                freeImageSlots.set(entry.imageSlot);
                entry.imageSlot = NONE;
                forgetIfAbsent(entry);
            }
        }
        touchLatents(entry);
    }

    /**
     * Begins a batch of pictures that sequences wait for; empty when there are none, when no latent slot can be had, or
     * when a batch is in the tower.
     *
     * @param max the most pictures of a batch
     */
    List<Encoding> beginEncoding(int max) {
        if (!encoding.isEmpty()) {
            return List.of();
        }
        List<Entry> batch = new ArrayList<>();
        List<Encoding> work = new ArrayList<>();
        int room = Math.min(max, freeLatentSlots() + idleLatents.size());
        for (Entry entry : pending) {
            PixelValues pixels = entry.pixels;
            boolean joins = batch.isEmpty() || !entry.alone && !batch.get(0).alone;
            if (batch.size() < room && entry.state() == State.ABSENT && pixels != null && joins) {
                entry.latentSlot = takeLatentSlot();
                batch.add(entry);
                work.add(new Encoding(entry.digest, pixels, entry.latentSlot));
            }
        }
        encoding = batch;
        return work;
    }

    /** Whether a batch is in the tower. */
    boolean isEncoding() {
        return !encoding.isEmpty();
    }

    /** Whether a sequence still waits for a picture of the batch. */
    boolean isEncodingWanted() {
        return encoding.stream().anyMatch(entry -> entry.pins > 0);
    }

    /** The latents of the batch are in their slots. */
    void endEncoding() {
        for (Entry entry : encoding) {
            entry.encoded = true;
            entry.alone = false;
            touchLatents(entry);
        }
        encoding = List.of();
    }

    /**
     * The batch left the tower without latents; its slots come back. Pictures that are still pinned are encoded again.
     *
     * @return the digests of the batch
     */
    List<String> abandonEncoding() {
        List<String> digests = new ArrayList<>();
        for (Entry entry : encoding) {
            freeLatentSlots.set(entry.latentSlot);
            entry.latentSlot = NONE;
            forgetIfAbsent(entry);
            digests.add(entry.digest);
        }
        encoding = List.of();
        return digests;
    }

    /** Like {@link #abandonEncoding}, but each of the pictures is in a batch of its own from now on. */
    void encodeApart() {
        encoding.forEach(entry -> entry.alone = true);
        abandonEncoding();
    }

    /** The projections that sequences wait for. They stay due until {@link #projected} says that they were done. */
    List<Projection> projections() {
        List<Projection> projections = new ArrayList<>();
        for (Entry entry : pending) {
            if (entry.state() == State.LATENTS) {
                projections.add(new Projection(entry.digest, entry.latentSlot, entry.imageSlot));
            }
        }
        return projections;
    }

    /** Keys and values of a picture are in its image slot; nothing happens if no sequence waits for them any more. */
    void projected(String digest) {
        Entry entry = entries.get(digest);
        if (entry != null && pending.remove(entry)) {
            entry.resident = true;
            entry.pixels = null;
            touchLatents(entry);
        }
    }

    /** Forgets the latents of a picture that no sequence waits for. */
    void dropLatents(String digest) {
        Entry entry = entries.get(digest);
        if (entry != null && idleLatents.contains(entry)) {
            evictLatents(entry);
        }
    }

    /** Forgets all of a picture that no sequence waits for or reads. */
    void forget(String digest) {
        Entry entry = entries.get(digest);
        if (entry != null && idleImages.contains(entry)) {
            evictImage(entry);
        }
        dropLatents(digest);
    }

    private void count(Entry entry) {
        if (entry.resident) {
            residentHits++;
        } else if (entry.state() == State.ABSENT && entry.pins == 0) {
            misses++;
        } else {
            latentHits++;
        }
    }

    /** Moves the latents of an entry to the recent end, or out of reach while a projection waits for them. */
    private void touchLatents(Entry entry) {
        idleLatents.remove(entry);
        if (entry.encoded && !pending.contains(entry)) {
            idleLatents.add(entry);
        }
    }

    private int takeImageSlot() {
        if (freeImageSlots.isEmpty()) {
            if (idleImages.isEmpty()) {
                throw new IllegalStateException("All " + imageSlots + " image slots are pinned");
            }
            evictImage(idleImages.iterator().next());
            imageEvictions++;
        }
        return take(freeImageSlots);
    }

    private void evictImage(Entry entry) {
        idleImages.remove(entry);
        entry.resident = false;
        freeImageSlots.set(entry.imageSlot);
        entry.imageSlot = NONE;
        forgetIfAbsent(entry);
    }

    private int takeLatentSlot() {
        if (freeLatentSlots.isEmpty()) {
            evictLatents(idleLatents.iterator().next());
            latentEvictions++;
        }
        return take(freeLatentSlots);
    }

    private void evictLatents(Entry entry) {
        idleLatents.remove(entry);
        entry.encoded = false;
        freeLatentSlots.set(entry.latentSlot);
        entry.latentSlot = NONE;
        forgetIfAbsent(entry);
    }

    private void forgetIfAbsent(Entry entry) {
        if (entry.pins == 0 && entry.state() == State.ABSENT) {
            entries.remove(entry.digest);
        }
    }

    private static int take(BitSet free) {
        int slot = free.nextSetBit(0);
        free.clear(slot);
        return slot;
    }
}
