package io.idefics.image;

import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Damages pictures in the ways that find faults in decoders; the same seed gives the same damage. */
final class Mutations {

    private static final int[] EXTREMES = {0, 1, 0x7f, 0x80, 0xff, 0xfe, 0x40, 0x10};

    private Mutations() {}

    /** A damaged picture, of one of several, by a number. */
    static byte[] mutant(List<byte[]> pictures, long number) {
        Random random = new Random(number * 0x9e3779b97f4a7c15L);
        byte[] picture = pictures.get(random.nextInt(pictures.size())).clone();
        int rounds = 1 + random.nextInt(4);
        for (int i = 0; i < rounds && picture.length > 16; i++) {
            picture = mutate(picture, pictures, random);
        }
        return picture;
    }

    private static byte[] mutate(byte[] in, List<byte[]> pictures, Random random) {
        int at = position(in.length, random);
        switch (random.nextInt(9)) {
            case 0 -> in[at] ^= (byte) (1 << random.nextInt(8));
            case 1 -> in[at] = (byte) random.nextInt();
            case 2 -> in[at] = (byte) EXTREMES[random.nextInt(EXTREMES.length)];
            case 3 -> Arrays.fill(in, at, Math.min(in.length, at + 1 + random.nextInt(32)), (byte) random.nextInt());
            case 4 -> { // a length or a size, of two or four bytes
                int value = random.nextBoolean() ? random.nextInt() : random.nextInt(70_000) - 2;
                int size = Math.min(random.nextBoolean() ? 2 : 4, in.length - at);
                boolean little = random.nextBoolean();
                for (int i = 0; i < size; i++) {
                    in[at + i] = (byte) (value >> 8 * (little ? i : size - 1 - i));
                }
            }
            case 5 -> {
                return Arrays.copyOf(in, 12 + random.nextInt(in.length - 12));
            }
            case 6 -> { // the head of one picture and the tail of another
                byte[] other = pictures.get(random.nextInt(pictures.size()));
                int from = random.nextInt(other.length);
                byte[] spliced = Arrays.copyOf(in, at + other.length - from);
                System.arraycopy(other, from, spliced, at, other.length - from);
                return spliced;
            }
            case 7 -> { // a part in another place, as of chunks in another order
                int length = 1 + random.nextInt(Math.min(4096, in.length - at));
                int to = random.nextInt(in.length - length + 1);
                byte[] part = Arrays.copyOfRange(in, at, at + length);
                if (to < at) {
                    System.arraycopy(in, to, in, to + length, at - to);
                } else {
                    System.arraycopy(in, at + length, in, at, to - at);
                }
                System.arraycopy(part, 0, in, to, length);
            }
            default -> { // a part twice
                int length = 1 + random.nextInt(Math.min(4096, in.length - at));
                byte[] longer = Arrays.copyOf(in, in.length + length);
                System.arraycopy(in, at, longer, at + length, in.length - at);
                return longer;
            }
        }
        return in;
    }

    /** Mostly near the beginning, where headers are. */
    private static int position(int length, Random random) {
        return random.nextInt(3) == 0 ? random.nextInt(length) : random.nextInt(Math.min(length, 300));
    }
}
