package io.idefics.image;

/** Counts the chunks, segments or blocks of a picture, of which a small file may have millions. */
final class PartCount {

    static final int LIMIT = 100_000;

    private final String name;
    private int count;

    /** @param name what is counted, for errors */
    PartCount(String name) {
        this.name = name;
    }

    /** @throws MalformedImageException if this is one too many */
    void next() throws MalformedImageException {
        if (++count > LIMIT) {
            throw new MalformedImageException("has more than " + LIMIT + " " + name);
        }
    }
}
