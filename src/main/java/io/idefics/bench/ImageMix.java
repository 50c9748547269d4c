package io.idefics.bench;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/**
 * How many pictures requests have, and in which shares.
 *
 * @param text the mix as it was written
 * @param shares the parts of the mix, at least one; the shares need not add up to 1
 */
record ImageMix(@JsonValue String text, List<Share> shares) {

    /** What {@code mix} stands for: text alone, one picture and many. */
    static final String DEFAULT_MIX = "0:0.25,1:0.5,4:0.25";

    private static final int MAX_IMAGES = 1_000;

    /** One part of a mix: requests of so many pictures, and how common they are. */
    record Share(int images, double weight) {}

    ImageMix {
        shares = List.copyOf(shares);
    }

    /**
     * Reads a mix.
     *
     * @param text a number of pictures, {@code mix}, or numbers with their shares as in {@code 0:0.25,1:0.75}
     * @throws IllegalArgumentException if it is none of these
     */
    static ImageMix parse(String text) {
        List<Share> shares = new ArrayList<>();
        for (String part : (text.equals("mix") ? DEFAULT_MIX : text).split(",", -1)) {
            String[] sides = part.split(":", 2);
            try {
                shares.add(new Share(
                        Integer.parseInt(sides[0].trim()),
                        sides.length == 1 ? 1 : Double.parseDouble(sides[1].trim())));
            } catch (NumberFormatException e) {
                throw malformed(text);
            }
        }
        for (Share share : shares) {
            boolean weighed = share.weight() > 0 && share.weight() < Double.POSITIVE_INFINITY;
            if (share.images() < 0 || share.images() > MAX_IMAGES || !weighed) {
                throw malformed(text);
            }
        }
        return new ImageMix(text, shares);
    }

    /** The number of pictures of one request. */
    int draw(RandomGenerator random) {
        double rest = random.nextDouble() * total();
        for (Share share : shares) {
            rest -= share.weight();
            if (rest < 0) {
                return share.images();
            }
        }
        return shares.get(shares.size() - 1).images();
    }

    /** The most pictures of a request. */
    int most() {
        return shares.stream().mapToInt(Share::images).max().orElse(0);
    }

    private double total() {
        return shares.stream().mapToDouble(Share::weight).sum();
    }

    private static IllegalArgumentException malformed(String text) {
        return new IllegalArgumentException("'" + text + "' is not a number of pictures from 0 to " + MAX_IMAGES
                + ", 'mix', or numbers with shares above 0 as in " + DEFAULT_MIX);
    }
}
