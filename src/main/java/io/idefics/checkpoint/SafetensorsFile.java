package io.idefics.checkpoint;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A safetensors file, checked strictly: 8 bytes header length, a JSON header, and data that the tensors tile from the
 * first byte to the last.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">the format</a>
 */
public final class SafetensorsFile implements WeightFile {

    private static final int LENGTH_BYTES = 8;

    /** The cap of the reference implementation. */
    private static final long HEADER_LIMIT = 100_000_000;

    private final MappedFile file;
    private final long dataStart;
    private final Map<String, SafetensorsHeader.Entry> entries;
    private final Map<String, String> metadata;
    private final Map<String, TensorSpec> specs = new LinkedHashMap<>();

    private SafetensorsFile(MappedFile file, long dataStart, SafetensorsHeader header) {
        this.file = file;
        this.dataStart = dataStart;
        this.entries = header.entries();
        this.metadata = Map.copyOf(header.metadata());
        entries.forEach((name, entry) -> specs.put(name, new TensorSpec(entry.type(), entry.shape())));
    }

    /**
     * Opens a file and checks its header.
     *
     * @throws CheckpointException naming the file, and the tensor where one is at fault
     */
    public static SafetensorsFile open(Path path) {
        MappedFile file = MappedFile.open(path);
        try {
            return open(file);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private static SafetensorsFile open(MappedFile file) {
        if (file.size() < LENGTH_BYTES) {
            throw new CheckpointException(file.path() + ": not a safetensors file: it has only " + file.size()
                    + " bytes (was the download cut?)");
        }
        long headerLength = file.read(0, LENGTH_BYTES).getLong(); // unsigned; what reads as negative is too large
        if (headerLength < 0 || headerLength > Math.min(HEADER_LIMIT, file.size() - LENGTH_BYTES)) {
            throw notSafetensors(file, headerLength);
        }
        byte[] header = file.readBytes(LENGTH_BYTES, headerLength);
        long dataStart = LENGTH_BYTES + headerLength;
        SafetensorsHeader parsed = SafetensorsHeader.parse(file.path(), header, file.size() - dataStart);
        return new SafetensorsFile(file, dataStart, parsed);
    }

    @Override
    public Path path() {
        return file.path();
    }

    @Override
    public Map<String, TensorSpec> specs() {
        return Collections.unmodifiableMap(specs);
    }

    /** The free texts of the header, by name. */
    public Map<String, String> metadata() {
        return metadata;
    }

    @Override
    public StoredTensor tensor(String name) {
        SafetensorsHeader.Entry entry = entry(name);
        ByteBuffer data = file.map(name, entry.type(), dataStart + entry.begin(), entry.end() - entry.begin());
        return new StoredTensor(entry.type(), entry.shape().clone(), data);
    }

    @Override
    public void read(String name, ByteBuffer target) {
        file.read(dataStart + entry(name).begin(), target);
    }

    private SafetensorsHeader.Entry entry(String name) {
        SafetensorsHeader.Entry entry = entries.get(name);
        if (entry == null) {
            throw WeightFile.unknown(path(), name);
        }
        return entry;
    }

    @Override
    public void close() {
        file.close();
    }

    private static CheckpointException notSafetensors(MappedFile file, long headerLength) {
        FileSignature signature = file.signature();
        String found = signature == FileSignature.UNKNOWN || signature == FileSignature.SAFETENSORS
                ? "a header of " + Long.toUnsignedString(headerLength) + " bytes is announced in a file of "
                        + file.size() + " bytes, the limit is " + HEADER_LIMIT
                : "it is " + signature.description();
        return new CheckpointException(file.path() + ": not a safetensors file: " + found);
    }
}
