package io.idefics.image;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Decodes PNG, JPEG, GIF, WebP, BMP and TIFF pictures to the RGB pixels that the reference implementation sees
 * (image_processing_idefics.convert_to_rgb on Pillow): first frame only, composited on white, colour profiles and
 * gamma ignored.
 *
 * <p>Whatever a picture does, it costs no more than its limits: pixels and scans are counted from the header, the memory
 * that decoding needs is taken from a budget that all pictures share, and decoding ends at a deadline. Safe for
 * concurrent use. Decoding blocks and takes time in proportion to the pixels: call it on a worker thread.
 */
public final class ImageDecoder {

    /** How long one picture may wait for memory, and how long it may be decoded. */
    public static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(10);

    private static final int FILE_COPIES = 2; // what readers are shown, and a copy that they make of it
    private static final int BYTES_PER_ROW = 1024; // of a picture that is resized while its pixels are still there

    private final ImageLimits limits;
    private final boolean applyExifOrientation;
    private final long maxDecodingBytes;
    private final MemoryGate memory;
    private final Duration timeout;
    private final LongSupplier clock;

    /** With the default timeout. */
    public ImageDecoder(ImageLimits limits, boolean applyExifOrientation, long maxDecodingBytes) {
        this(limits, applyExifOrientation, maxDecodingBytes, DEFAULT_TIMEOUT);
    }

    /**
     * @param limits what a picture may ask for
     * @param applyExifOrientation whether pictures are turned upright, which the reference does not do
     * @param maxDecodingBytes memory that all decoding at one time may take; further pictures wait
     * @param timeout how long one picture may wait for memory, and how long it may be decoded
     */
    public ImageDecoder(ImageLimits limits, boolean applyExifOrientation, long maxDecodingBytes, Duration timeout) {
        this(limits, applyExifOrientation, maxDecodingBytes, timeout, System::nanoTime);
    }

    /** With another clock, of nanoseconds. */
    ImageDecoder(
            ImageLimits limits,
            boolean applyExifOrientation,
            long maxDecodingBytes,
            Duration timeout,
            LongSupplier clock) {
        this.limits = limits;
        this.applyExifOrientation = applyExifOrientation;
        this.maxDecodingBytes = maxDecodingBytes;
        this.memory = new MemoryGate(maxDecodingBytes);
        this.timeout = timeout;
        this.clock = clock;
    }

    /**
     * Decodes a picture.
     *
     * @param bytes the whole file
     * @param param the path of the picture in the request, for errors
     * @throws GenerationException with INVALID_IMAGE_FORMAT if it is no supported picture, corrupt or truncated,
     *     IMAGE_TOO_LARGE if it asks for more pixels, scans, memory or time than the limits, OVERLOADED if other pictures
     *     leave no memory for it, INTERNAL if a library is missing
     */
    public RgbImage decode(byte[] bytes, String param) {
        return decode(bytes, param, Function.identity());
    }

    /**
     * Decodes a picture and makes something smaller of it while the memory for its pixels is still held.
     *
     * @param use gets the pixels
     * @throws GenerationException as from {@link #decode(byte[], String)}
     */
    public <T> T decode(byte[] bytes, String param, Function<RgbImage, T> use) {
        EncodedImage encoded = EncodedImage.parse(bytes, param);
        ImageHeader header = encoded.header();
        header.check(limits, param);
        int orientation = applyExifOrientation ? encoded.orientation() : ExifOrientation.NORMAL;
        try (MemoryGate.Room room = room(header, bytes.length, param)) {
            return use.apply(ExifOrientation.apply(decode(encoded, param), orientation));
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

    private MemoryGate.Room room(ImageHeader header, long fileBytes, String param) {
        long needed = header.decodingBytes() + FILE_COPIES * fileBytes + (long) BYTES_PER_ROW * header.height();
        if (needed > maxDecodingBytes) {
            throw new GenerationException(
                    ErrorType.IMAGE_TOO_LARGE,
                    "decoding the picture of " + header.width() + " x " + header.height() + " pixels takes " + needed
                            + " bytes of memory; the limit is " + maxDecodingBytes,
                    param);
        }
        try {
            return memory.enter(needed, timeout);
        } catch (TimeoutException e) {
            throw new GenerationException(
                    ErrorType.OVERLOADED, "other pictures leave no memory to decode this one", param, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new GenerationException(
                    ErrorType.OVERLOADED, "interrupted while waiting for memory to decode a picture", param, e);
        }
    }

    private RgbImage decode(EncodedImage encoded, String param) {
        ImageHeader header = encoded.header();
        Deadline deadline = new Deadline(timeout, clock);
        try {
            RgbImage image = encoded.decode(deadline);
            if (image.width() != header.width() || image.height() != header.height()) {
                throw invalid(header, "states two different sizes", param, null);
            }
            return image;
        } catch (MalformedImageException e) {
            throw invalid(header, e.getMessage(), param, e);
        } catch (GenerationException e) {
            throw e;
        } catch (IOException | RuntimeException | StackOverflowError | InternalError e) {
            if (deadline.hasPassed()) {
                throw new GenerationException(
                        ErrorType.IMAGE_TOO_LARGE,
                        "decoding the picture of " + header.width() + " x " + header.height()
                                + " pixels took longer than the limit of " + timeout.toMillis() + " ms",
                        param,
                        e);
            }
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
