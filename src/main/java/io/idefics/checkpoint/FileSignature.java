package io.idefics.checkpoint;

import java.nio.charset.StandardCharsets;

/** What the first bytes of a file say it is, for messages about files that are not what their name promises. */
enum FileSignature {
    EMPTY("an empty file (was the download cut?)"),
    LFS_POINTER("a git-lfs pointer (fetch the real file, for example with git lfs pull)"),
    MARKUP("an HTML or XML page (the download failed)"),
    ZIP("a zip archive"),
    PICKLE("a bare Python pickle (the format of torch before 1.6)"),
    SAFETENSORS("a safetensors file"),
    UNKNOWN("an unknown format");

    /** How many leading bytes {@link #of} looks at. */
    static final int BYTES = 64;

    private final String description;

    FileSignature(String description) {
        this.description = description;
    }

    String description() {
        return description;
    }

    /** Classifies a file by its leading bytes. */
    static FileSignature of(byte[] head) {
        String text = new String(head, 0, Math.min(head.length, BYTES), StandardCharsets.ISO_8859_1);
        if (text.isEmpty()) {
            return EMPTY;
        } else if (text.startsWith("\0\0\0\0", 4) && text.startsWith("{", 8)) {
            return SAFETENSORS; // first, because its length byte may be any other format's first character
        } else if (text.startsWith("version https://git-lfs")) {
            return LFS_POINTER;
        } else if (text.stripLeading().startsWith("<")) {
            return MARKUP;
        } else if (text.startsWith("PK\u0003\u0004") || text.startsWith("PK\u0005\u0006")) {
            return ZIP;
        } else if (text.charAt(0) == '\u0080' && text.length() > 1 && text.charAt(1) <= 5) {
            return PICKLE;
        }
        return UNKNOWN;
    }
}
