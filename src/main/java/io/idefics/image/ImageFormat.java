package io.idefics.image;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** The picture formats that are decoded, recognised by their first bytes and never by a declared type. */
public enum ImageFormat {
    PNG("PNG"),
    JPEG("JPEG"),
    GIF("GIF"),
    WEBP("WebP"),
    BMP("BMP"),
    TIFF("TIFF");

    private static final int SNIFFED_BYTES = 512;
    private static final List<String> TIFF_MARKS =
            List.of("II*\0", "MM\0*", "II+\0", "MM\0+"); // the latter are BigTIFF

    private final String displayName;

    ImageFormat(String displayName) {
        this.displayName = displayName;
    }

    /** The name of the format as people write it. */
    public String displayName() {
        return displayName;
    }

    /**
     * The format of a picture.
     *
     * @param bytes the whole picture, or at least its first 512 bytes
     * @param param the path of the picture in the request
     * @throws GenerationException with INVALID_IMAGE_FORMAT if the bytes are none of these formats
     */
    public static ImageFormat sniff(byte[] bytes, String param) {
        String head = new String(bytes, 0, Math.min(bytes.length, SNIFFED_BYTES), StandardCharsets.ISO_8859_1);
        if (head.startsWith("\u0089PNG\r\n\u001a\n")) {
            return PNG;
        }
        if (head.startsWith("\u00ff\u00d8\u00ff")) {
            return JPEG;
        }
        if (head.startsWith("GIF87a") || head.startsWith("GIF89a")) {
            return GIF;
        }
        if (head.startsWith("RIFF") && head.startsWith("WEBP", 8)) {
            return WEBP;
        }
        if (head.startsWith("BM") && head.length() >= BmpImage.SMALLEST_HEADER) {
            return BMP;
        }
        if (TIFF_MARKS.stream().anyMatch(head::startsWith)) {
            return TIFF;
        }
        String looksLike = describe(head);
        throw new GenerationException(
                ErrorType.INVALID_IMAGE_FORMAT,
                "a PNG, JPEG, GIF, WebP, BMP or TIFF picture is needed"
                        + (looksLike == null ? "" : "; this looks like " + looksLike),
                param);
    }

    /** What bytes that are no supported picture seem to be, or null. */
    private static @Nullable String describe(String head) {
        if (head.isEmpty()) {
            return "an empty file";
        }
        if (head.startsWith("ftyp", 4)) {
            String brand = head.substring(8, Math.min(12, head.length()));
            if (brand.startsWith("avi")) {
                return "AVIF";
            }
            return List.of("heic", "heix", "hevc", "mif1", "msf1").contains(brand) ? "HEIC" : "a video";
        }
        if (head.startsWith("\0\0\u0001\0")) {
            return "an icon file";
        }
        if (head.startsWith("%PDF")) {
            return "PDF";
        }
        String text = head.strip().toLowerCase(Locale.ROOT);
        if (text.startsWith("<svg") || (text.startsWith("<?xml") && text.contains("<svg"))) {
            return "SVG";
        }
        if (text.startsWith("<!doctype html") || text.startsWith("<html") || text.contains("<head")) {
            return "HTML";
        }
        if (text.startsWith("<")) {
            return "HTML or XML";
        }
        return text.startsWith("{") ? "JSON" : null;
    }
}
