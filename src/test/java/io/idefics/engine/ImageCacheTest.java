package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.engine.ImageCache.Encoding;
import io.idefics.engine.ImageCache.Projection;
import io.idefics.engine.ImageCache.State;
import io.idefics.model.PixelValues;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ImageCacheTest {

    private final ImageCache cache = new ImageCache(2, 2);

    @Test
    void pin_newPicture_goesThroughAllStates() {
        int slot = pin("cat");
        assertThat(cache.state("cat")).isEqualTo(State.ABSENT);

        List<Encoding> batch = cache.beginEncoding(8);
        assertThat(batch).extracting(Encoding::digest).containsExactly("cat");
        assertThat(cache.state("cat")).isEqualTo(State.ENCODING);
        assertThat(cache.projections()).isEmpty();

        cache.endEncoding();
        assertThat(cache.state("cat")).isEqualTo(State.LATENTS);
        assertThat(cache.projections())
                .containsExactly(new Projection("cat", batch.get(0).latentSlot(), slot));

        cache.projected("cat");
        assertThat(cache.state("cat")).isEqualTo(State.RESIDENT);
        assertThat(cache.projections()).isEmpty();
        assertThat(cache.misses()).isEqualTo(1);
    }

    @Test
    void pin_pictureOnItsWay_isEncodedOnce() {
        int slot = pin("cat");
        assertThat(pin("cat")).isEqualTo(slot);
        assertThat(cache.beginEncoding(8)).hasSize(1);
        assertThat(pin("cat")).isEqualTo(slot);
        cache.endEncoding();

        assertThat(cache.beginEncoding(8)).isEmpty();
        assertThat(cache.pins("cat")).isEqualTo(3);
        assertThat(cache.misses()).isEqualTo(1);
        assertThat(cache.latentHits()).isEqualTo(2);
    }

    @Test
    void pin_residentPicture_needsNoWork() {
        int slot = makeResident("cat");
        cache.unpin("cat");

        assertThat(pin("cat")).isEqualTo(slot);
        assertThat(cache.beginEncoding(8)).isEmpty();
        assertThat(cache.projections()).isEmpty();
        assertThat(cache.residentHits()).isEqualTo(1);
    }

    @Test
    void pin_noFreeSlot_evictsTheLeastRecentlyUsedAndKeepsItsLatents() {
        makeResident("cat");
        makeResident("dog");
        cache.unpin("dog");
        cache.unpin("cat");

        pin("cow");

        assertThat(cache.state("dog")).isEqualTo(State.LATENTS);
        assertThat(cache.state("cat")).isEqualTo(State.RESIDENT);
        assertThat(cache.imageEvictions()).isEqualTo(1);
    }

    @Test
    void pin_latentsOnly_isProjectedWithoutEncoding() {
        makeResident("cat");
        makeResident("dog");
        cache.unpin("cat");
        pin("cow");
        cache.unpin("cow");

        int slot = pin("cat");

        assertThat(cache.projections()).extracting(Projection::digest).containsExactly("cat");
        assertThat(cache.projections().get(0).imageSlot()).isEqualTo(slot);
        assertThat(cache.beginEncoding(8)).isEmpty();
        assertThat(cache.latentHits()).isEqualTo(1);
    }

    @Test
    void pin_allSlotsPinned_throws() {
        pin("cat");
        pin("dog");

        assertThat(cache.fits(List.of("cow"))).isFalse();
        assertThatThrownBy(() -> pin("cow")).hasMessage("All 2 image slots are pinned");
    }

    @Test
    void fits_idlePictureAmongThem_isNotCountedTwice() {
        makeResident("cat");
        cache.unpin("cat");
        pin("dog");

        assertThat(cache.fits(List.of("cat"))).isTrue();
        assertThat(cache.fits(List.of("cow"))).isTrue();
        assertThat(cache.fits(List.of("cat", "cow"))).isFalse();
        assertThat(cache.fits(List.of("dog", "cow"))).isTrue();
    }

    @Test
    void pinAll_residentOneLast_isNotEvictedByTheFirst() {
        int slot = makeResident("cat");
        cache.unpin("cat");
        makeResident("dog");
        cache.unpin("dog");

        Map<String, Integer> slots = cache.pinAll(pictures("cow", "cat"));

        assertThat(slots.get("cat")).isEqualTo(slot);
        assertThat(cache.state("cat")).isEqualTo(State.RESIDENT);
        assertThat(cache.state("dog")).isEqualTo(State.LATENTS);
    }

    @Test
    void beginEncoding_moreThanABatch_takesTheOldest() {
        ImageCache large = new ImageCache(4, 4);
        large.pinAll(pictures("a", "b", "c"));

        assertThat(large.beginEncoding(2)).extracting(Encoding::digest).containsExactly("a", "b");
        assertThat(large.beginEncoding(2)).isEmpty();
        large.endEncoding();
        assertThat(large.beginEncoding(2)).extracting(Encoding::digest).containsExactly("c");
    }

    @Test
    void beginEncoding_latentsWaitForProjection_areNotEvicted() {
        ImageCache narrow = new ImageCache(3, 1);
        narrow.pinAll(pictures("a", "b"));
        narrow.beginEncoding(2);
        narrow.endEncoding();
        assertThat(narrow.beginEncoding(2)).isEmpty();

        narrow.projected("a");

        assertThat(narrow.beginEncoding(2)).extracting(Encoding::digest).containsExactly("b");
        assertThat(narrow.latentEvictions()).isEqualTo(1);
        assertThat(narrow.state("a")).isEqualTo(State.RESIDENT);
    }

    @Test
    void beginEncoding_noFreeLatentSlot_evictsTheLeastRecentlyUsed() {
        makeResident("cat");
        makeResident("dog");
        cache.unpin("cat");
        cache.unpin("dog");
        cache.unpin(pinned("cat")); // cat is used again
        pin("cow"); // evicts dog's keys and values

        cache.beginEncoding(1);

        assertThat(cache.state("dog")).isEqualTo(State.ABSENT);
        assertThat(cache.state("cat")).isEqualTo(State.RESIDENT);
    }

    @Test
    void unpin_whileEncoding_keepsTheLatentSlotUntilItEnds() {
        pin("cat");
        cache.beginEncoding(1);

        cache.unpin("cat");
        assertThat(cache.isEncodingWanted()).isFalse();
        assertThat(cache.freeImageSlots()).isEqualTo(2);
        assertThat(cache.freeLatentSlots()).isEqualTo(1);

        cache.endEncoding();
        assertThat(cache.state("cat")).isEqualTo(State.LATENTS);
        assertThat(cache.idleLatents()).isEqualTo(1);
        assertThat(cache.projections()).isEmpty();
    }

    @Test
    void abandonEncoding_stillPinned_isEncodedAgain() {
        pin("cat");
        cache.beginEncoding(1);

        assertThat(cache.abandonEncoding()).containsExactly("cat");

        assertThat(cache.freeLatentSlots()).isEqualTo(2);
        assertThat(cache.isEncoding()).isFalse();
        assertThat(cache.beginEncoding(1)).extracting(Encoding::digest).containsExactly("cat");
    }

    @Test
    void projected_noLongerPinned_isNotResident() {
        pin("cat");
        cache.beginEncoding(1);
        cache.endEncoding();
        cache.unpin("cat");

        cache.projected("cat");

        assertThat(cache.state("cat")).isEqualTo(State.LATENTS);
        assertThat(cache.freeImageSlots()).isEqualTo(2);
    }

    @Test
    void dropLatents_idle_forgetsThePicture() {
        pin("cat");
        cache.beginEncoding(1);
        cache.endEncoding();

        cache.dropLatents("cat");
        assertThat(cache.state("cat")).as("a projection waits for them").isEqualTo(State.LATENTS);

        cache.unpin("cat");
        cache.dropLatents("cat");
        assertThat(cache.state("cat")).isEqualTo(State.ABSENT);
        assertThat(cache.freeLatentSlots()).isEqualTo(2);
    }

    @Test
    void unpin_notPinned_throws() {
        assertThatThrownBy(() -> cache.unpin("cat")).hasMessage("Nobody pins picture cat");
    }

    private int pin(String digest) {
        return cache.pin(digest, TestSequence.pixels(digest));
    }

    private String pinned(String digest) {
        pin(digest);
        return digest;
    }

    private int makeResident(String digest) {
        int slot = pin(digest);
        cache.beginEncoding(1);
        cache.endEncoding();
        cache.projected(digest);
        return slot;
    }

    private static Map<String, PixelValues> pictures(String... digests) {
        Map<String, PixelValues> pictures = new LinkedHashMap<>();
        for (String digest : digests) {
            pictures.put(digest, TestSequence.pixels(digest));
        }
        return pictures;
    }
}
