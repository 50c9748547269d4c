package io.idefics.image;

import com.luciad.imageio.webp.WebPImageReaderSpi;
import java.awt.image.BufferedImage;
import java.awt.image.Raster;
import java.io.IOException;
import java.util.Iterator;
import javax.imageio.ImageReader;
import javax.imageio.event.IIOReadProgressListener;
import javax.imageio.event.IIOReadWarningListener;
import javax.imageio.spi.IIORegistry;
import javax.imageio.spi.ImageReaderSpi;

/**
 * The readers that decode pixels, each chosen by name: whatever else is registered is never asked.
 *
 * <p>They stop soon after the deadline, all but that of WebP, which is native code: it cannot be stopped, and takes time
 * in proportion to the pixels and the bytes.
 */
enum ImageReaders {
    PNG(ofJdk("com.sun.imageio.plugins.png.PNGImageReaderSpi")),
    JPEG(ofJdk("com.sun.imageio.plugins.jpeg.JPEGImageReaderSpi")),
    BMP(ofJdk("com.sun.imageio.plugins.bmp.BMPImageReaderSpi")),
    TIFF(ofJdk("com.sun.imageio.plugins.tiff.TIFFImageReaderSpi")),
    WEBP(new WebPImageReaderSpi());

    private final ImageReaderSpi provider;

    ImageReaders(ImageReaderSpi provider) {
        this.provider = provider;
    }

    /** A provider of the JDK, whose classes cannot be named in code. */
    private static ImageReaderSpi ofJdk(String name) {
        Iterator<ImageReaderSpi> found = IIORegistry.getDefaultInstance()
                .getServiceProviders(
                        ImageReaderSpi.class,
                        candidate -> candidate.getClass().getName().equals(name),
                        false);
        if (!found.hasNext()) {
            throw new IllegalStateException("the JDK has no image reader " + name);
        }
        return found.next();
    }

    /** The first frame; its raster is not colour-managed. */
    BufferedImage read(byte[] bytes, Deadline deadline) throws IOException {
        return read(bytes, deadline, reader -> reader.read(0));
    }

    /**
     * The components of the first frame as they are stored.
     *
     * @param warnings told about damage that the reader puts up with
     */
    Raster readRaster(byte[] bytes, Deadline deadline, IIOReadWarningListener warnings) throws IOException {
        return read(bytes, deadline, reader -> {
            reader.addIIOReadWarningListener(warnings);
            return reader.readRaster(0, null);
        });
    }

    private <T> T read(byte[] bytes, Deadline deadline, Reading<T> reading) throws IOException {
        ImageReader reader = provider.createReaderInstance();
        Watch watch = new Watch(deadline);
        try (ByteArrayImageInputStream input = new ByteArrayImageInputStream(bytes, deadline)) {
            // Ignoring metadata keeps the readers from inflating compressed text.
            reader.setInput(input, true, true);
            reader.addIIOReadProgressListener(watch);
            T result = reading.from(reader);
            if (watch.stopped) {
                throw new IOException("stopped"); // what is there is a part of the picture
            }
            return result;
        } finally {
            reader.dispose();
        }
    }

    private interface Reading<T> {

        T from(ImageReader reader) throws IOException;
    }

    /** Stops a reader that is not done in time, at its next sign of progress. */
    private static final class Watch implements IIOReadProgressListener {

        private final Deadline deadline;
        private boolean stopped;

        Watch(Deadline deadline) {
            this.deadline = deadline;
        }

        @Override
        public void imageProgress(ImageReader reader, float percent) {
            if (deadline.hasPassed()) {
                stopped = true;
                reader.abort();
            }
        }

        @Override
        public void sequenceStarted(ImageReader reader, int minIndex) {}

        @Override
        public void sequenceComplete(ImageReader reader) {}

        @Override
        public void imageStarted(ImageReader reader, int index) {}

        @Override
        public void imageComplete(ImageReader reader) {}

        @Override
        public void thumbnailStarted(ImageReader reader, int imageIndex, int thumbnailIndex) {}

        @Override
        public void thumbnailProgress(ImageReader reader, float percent) {}

        @Override
        public void thumbnailComplete(ImageReader reader) {}

        @Override
        public void readAborted(ImageReader reader) {}
    }
}
