package io.idefics.bench;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Base64;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.random.RandomGenerator;
import javax.imageio.ImageIO;
import javax.imageio.stream.ImageOutputStream;
import javax.imageio.stream.MemoryCacheImageOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * Draws square pictures, rectangles on a gradient, as {@code data:} URLs of PNG files. Seed and number decide a
 * picture. It sets pixels itself: the graphics of AWT want libraries that slim images lack.
 */
final class SyntheticPictures {

    private static final int RECTANGLES = 8;

    private final int size;
    private final long seed;
    private final @Nullable Integer distinct;
    private final ConcurrentMap<Long, String> kept = new ConcurrentHashMap<>();

    /**
     * @param size pixels a side
     * @param distinct how many different pictures there are; they are drawn once. Null makes every number a picture of
     *     its own, which is not kept.
     */
    SyntheticPictures(int size, long seed, @Nullable Integer distinct) {
        this.size = size;
        this.seed = new SplittableRandom(~seed).nextLong();
        this.distinct = distinct;
    }

    /** The picture of that number, from 0. */
    String url(long number) {
        return distinct == null ? draw(number) : kept.computeIfAbsent(number % distinct, this::draw);
    }

    private String draw(long number) {
        int[] pixels = pixels(new SplittableRandom(seed + number));
        BufferedImage image = new BufferedImage(size, size, BufferedImage.TYPE_INT_RGB);
        image.setRGB(0, 0, size, size, pixels, 0, size);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ImageOutputStream out = new MemoryCacheImageOutputStream(bytes)) {
            ImageIO.write(image, "png", out);
        } catch (IOException e) {
            throw new UncheckedIOException("A picture cannot be written as PNG", e);
        }
        return "data:image/png;base64," + Base64.getEncoder().encodeToString(bytes.toByteArray());
    }

    /** Colours 0xRRGGBB, (size * size), row by row. */
    private int[] pixels(RandomGenerator random) {
        int[] pixels = new int[size * size];
        int background = random.nextInt(1 << 24);
        for (int y = 0; y < size; y++) {
            for (int x = 0; x < size; x++) {
                pixels[y * size + x] = background ^ (((x * 64 / size) << 16) | (y * 64 / size));
            }
        }
        for (int i = 0; i < RECTANGLES; i++) {
            int colour = random.nextInt(1 << 24);
            int left = random.nextInt(size);
            int top = random.nextInt(size);
            int right = random.nextInt(left, size) + 1;
            int bottom = random.nextInt(top, size) + 1;
            for (int y = top; y < bottom; y++) {
                for (int x = left; x < right; x++) {
                    pixels[y * size + x] = colour;
                }
            }
        }
        return pixels;
    }
}
