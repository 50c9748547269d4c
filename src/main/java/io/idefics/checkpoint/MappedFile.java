package io.idefics.checkpoint;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.IntStream;

/** A file open for positional reads and read-only mappings, each bounded by the size it had when opened. */
final class MappedFile implements Closeable {

    /** What one thread reads at a time, in bytes. */
    private static final int CHUNK = 16 << 20;

    private final Path path;
    private final FileChannel channel;
    private final long size;

    private MappedFile(Path path, FileChannel channel, long size) {
        this.path = path;
        this.channel = channel;
        this.size = size;
    }

    /** @throws CheckpointException naming the file when it is missing, not a regular file or not readable */
    static MappedFile open(Path path) {
        if (!Files.isRegularFile(path)) {
            throw new CheckpointException(path + ": no such file");
        }
        try {
            FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
            return new MappedFile(path, channel, channel.size());
        } catch (IOException e) {
            throw new CheckpointException(path + ": cannot be opened: " + e.getMessage(), e);
        }
    }

    Path path() {
        return path;
    }

    long size() {
        return size;
    }

    /** Reads exactly {@code length} bytes into a little-endian heap buffer. */
    ByteBuffer read(long position, long length) {
        return ByteBuffer.wrap(readBytes(position, length)).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Reads exactly {@code length} bytes. */
    byte[] readBytes(long position, long length) {
        checkRange(position, length);
        byte[] bytes = new byte[Math.toIntExact(length)];
        readFully(position, ByteBuffer.wrap(bytes));
        return bytes;
    }

    /** Fills a direct buffer with the bytes from {@code position} on, in parallel where they are many. */
    void read(long position, ByteBuffer target) {
        int length = target.remaining();
        checkRange(position, length);
        int start = target.position();
        IntStream.range(0, (int) ((length + (long) CHUNK - 1) / CHUNK))
                .parallel()
                .map(chunk -> chunk * CHUNK)
                .forEach(at -> readFully(position + at, target.slice(start + at, Math.min(CHUNK, length - at))));
        target.position(start + length);
    }

    private void readFully(long position, ByteBuffer target) {
        try {
            while (target.hasRemaining()) {
                if (channel.read(target, position + target.position()) < 0) {
                    throw new CheckpointException(path + ": ends early, it was cut while being read");
                }
            }
        } catch (IOException e) {
            throw new CheckpointException(path + ": cannot be read: " + e.getMessage(), e);
        }
    }

    /**
     * The bytes of a tensor as a direct little-endian buffer aligned to the element size: mapped without copying, or
     * copied where the file does not keep the alignment.
     *
     * @throws CheckpointException for 2 GiB and more, the most that one mapping can address
     */
    ByteBuffer map(String tensor, TensorType type, long position, long length) {
        checkRange(position, length);
        if (length > Integer.MAX_VALUE) {
            throw new CheckpointException(path + ": tensor " + CheckpointException.quote(tensor) + " has " + length
                    + " bytes, the limit is " + Integer.MAX_VALUE);
        }
        if (length == 0) {
            return ByteBuffer.allocateDirect(0).order(ByteOrder.LITTLE_ENDIAN);
        }
        try {
            ByteBuffer mapped = channel.map(MapMode.READ_ONLY, position, length);
            boolean aligned = mapped.alignmentOffset(0, type.byteSize()) == 0;
            return (aligned ? mapped : copy(mapped)).order(ByteOrder.LITTLE_ENDIAN);
        } catch (IOException e) {
            throw new CheckpointException(
                    path + ": tensor " + CheckpointException.quote(tensor) + " cannot be mapped: " + e.getMessage(), e);
        }
    }

    /** The file's first bytes, to tell what it is. */
    FileSignature signature() {
        return FileSignature.of(readBytes(0, Math.min(size, FileSignature.BYTES)));
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new CheckpointException(path + ": cannot be closed: " + e.getMessage(), e);
        }
    }

    private static ByteBuffer copy(ByteBuffer mapped) {
        return ByteBuffer.allocateDirect(mapped.remaining()).put(mapped).flip();
    }

    private void checkRange(long position, long length) {
        if (position < 0 || length < 0 || position > size - length) {
            throw new CheckpointException(path + ": bytes " + position + " to " + (position + length)
                    + " lie outside the file of " + size + " bytes");
        }
    }
}
