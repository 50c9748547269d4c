package io.idefics.image;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Decodes PNG, JPEG, GIF, WebP and BMP pictures to the RGB pixels that the reference implementation sees
 * (image_processing_idefics.convert_to_rgb on Pillow): first frame only, composited on white, colour profiles and
 * gamma ignored.
 *
 * <p>Safe for concurrent use. Decoding blocks and takes time in proportion to the pixels: call it on a worker thread.
 */
public final class ImageDecoder {

    private final ImageLimits limits;
    private final boolean applyExifOrientation;
    private final MemoryGate memory;

    /**
     * @param limits what a picture may ask for
     * @param applyExifOrientation whether pictures are turned upright, which the reference does not do
     * @param maxDecodingBytes memory that all decoding at one time may take; further pictures wait
     */
    public ImageDecoder(ImageLimits limits, boolean applyExifOrientation, long maxDecodingBytes) {
        this.limits = limits;
        this.applyExifOrientation = applyExifOrientation;
        this.memory = new MemoryGate(maxDecodingBytes);
    }

    /**
     * Decodes a picture.
     *
     * @param bytes the whole file
     * @param param the path of the picture in the request, for errors
     * @throws GenerationException with INVALID_IMAGE_FORMAT if it is no supported picture, corrupt or truncated,
     *     IMAGE_TOO_LARGE if its header exceeds the limits, OVERLOADED if there is no memory for it, INTERNAL if a
     *     library is missing
     */
    public RgbImage decode(byte[] bytes, String param) {
        EncodedImage encoded = EncodedImage.parse(bytes, param);
        ImageHeader header = encoded.header();
        header.check(limits, param);
        int orientation = applyExifOrientation ? ExifOrientation.read(encoded.exif()) : ExifOrientation.NORMAL;
        try (MemoryGate.Room room = memory.enter(header.decodingBytes())) {
            return ExifOrientation.apply(decode(encoded, param), orientation);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new GenerationException(
                    ErrorType.OVERLOADED, "interrupted while waiting for memory to decode a picture", param, e);
        } catch (OutOfMemoryError e) {
            throw new GenerationException(ErrorType.OVERLOADED, "there is no memory to decode the picture", param, e);
        } catch (LinkageError e) {
            // A native library is missing or may not be unpacked to the temporary directory.
            throw new GenerationException(
                    ErrorType.INTERNAL,
                    header.format().displayName() + " pictures cannot be decoded by this installation",
                    param,
                    e);
        }
    }

    private static RgbImage decode(EncodedImage encoded, String param) {
        ImageHeader header = encoded.header();
        try {
            RgbImage image = encoded.decode();
            if (image.width() != header.width() || image.height() != header.height()) {
                throw invalid(header, "states two different sizes", param, null);
            }
            return image;
        } catch (MalformedImageException e) {
            throw invalid(header, e.getMessage(), param, e);
        } catch (GenerationException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            throw invalid(header, "cannot be decoded: it is truncated or corrupt", param, e);
        }
    }

    private static GenerationException invalid(
            ImageHeader header, @Nullable String reason, String param, @Nullable Throwable cause) {
        return new GenerationException(
                ErrorType.INVALID_IMAGE_FORMAT,
                "the " + header.format().displayName() + " picture " + reason,
                param,
                cause);
    }
}
