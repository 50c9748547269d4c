package io.idefics.image;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.io.IOException;

/** A picture whose container has been walked and measured, and whose pixels have not been read. */
interface EncodedImage {

    ImageHeader header();

    /** How the picture is to be turned, 1..8 as in EXIF. */
    int orientation();

    /**
     * Reads the pixels as the reference does: first frame, composited on white, colour profiles ignored,
     * not yet oriented.
     *
     * @param deadline asked at every step
     * @throws IOException or any runtime exception of the reader behind it, if the picture is corrupt
     */
    RgbImage decode(Deadline deadline) throws IOException;

    /**
     * Walks the container of a picture.
     *
     * @throws GenerationException with INVALID_IMAGE_FORMAT if it is no picture or its container is malformed
     */
    static EncodedImage parse(byte[] bytes, String param) {
        ImageFormat format = ImageFormat.sniff(bytes, param);
        try {
            return switch (format) {
                case PNG -> PngImage.parse(bytes);
                case JPEG -> JpegImage.parse(bytes);
                case GIF -> GifImage.parse(bytes);
                case WEBP -> WebpImage.parse(bytes);
                case BMP -> BmpImage.parse(bytes);
                case TIFF -> TiffImage.parse(bytes);
            };
        } catch (MalformedImageException e) {
            throw new GenerationException(
                    ErrorType.INVALID_IMAGE_FORMAT,
                    "the " + format.displayName() + " picture " + e.getMessage(),
                    param);
        } catch (IndexOutOfBoundsException e) {
            throw new GenerationException(
                    ErrorType.INVALID_IMAGE_FORMAT, "the " + format.displayName() + " picture is truncated", param, e);
        }
    }
}
