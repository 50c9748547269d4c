package io.idefics.image;

import com.luciad.imageio.webp.WebPImageReaderSpi;
import java.awt.image.BufferedImage;
import java.awt.image.Raster;
import java.io.IOException;
import java.util.Iterator;
import javax.imageio.ImageReader;
import javax.imageio.event.IIOReadWarningListener;
import javax.imageio.spi.IIORegistry;
import javax.imageio.spi.ImageReaderSpi;

/** The readers that decode pixels, each chosen by name: whatever else is registered is never asked. */
enum ImageReaders {
    PNG(ofJdk("com.sun.imageio.plugins.png.PNGImageReaderSpi")),
    JPEG(ofJdk("com.sun.imageio.plugins.jpeg.JPEGImageReaderSpi")),
    BMP(ofJdk("com.sun.imageio.plugins.bmp.BMPImageReaderSpi")),
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
    BufferedImage read(byte[] bytes) throws IOException {
        return read(bytes, reader -> reader.read(0));
    }

    /**
     * The components of the first frame as they are stored.
     *
     * @param warnings told about damage that the reader puts up with
     */
    Raster readRaster(byte[] bytes, IIOReadWarningListener warnings) throws IOException {
        return read(bytes, reader -> {
            reader.addIIOReadWarningListener(warnings);
            return reader.readRaster(0, null);
        });
    }

    private <T> T read(byte[] bytes, Reading<T> reading) throws IOException {
        ImageReader reader = provider.createReaderInstance();
        try (ByteArrayImageInputStream input = new ByteArrayImageInputStream(bytes)) {
            // Ignoring metadata keeps the readers from inflating compressed text.
            reader.setInput(input, true, true);
            return reading.from(reader);
        } finally {
            reader.dispose();
        }
    }

    private interface Reading<T> {

        T from(ImageReader reader) throws IOException;
    }
}
