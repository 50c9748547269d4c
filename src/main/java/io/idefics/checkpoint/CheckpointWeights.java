package io.idefics.checkpoint;

import static io.idefics.checkpoint.CheckpointException.quote;

import io.idefics.checkpoint.WeightFile.TensorSpec;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The weights of a model: exactly the tensors of {@link IdeficsParameters#expected}, each in a shape and a floating
 * type that the model can use. Tensors are mapped when asked for; their buffers outlive {@link #close}.
 */
public final class CheckpointWeights implements AutoCloseable {

    private static final Set<TensorType> FLOATING = EnumSet.of(TensorType.F32, TensorType.F16, TensorType.BF16);

    /** Where a tensor of the model lies; the stored name differs from the model's where the head is tied. */
    private record Location(WeightFile file, String storedName) {}

    /** A tensor as a file announces it. */
    private record Stored(WeightFile file, TensorSpec spec) {}

    private final List<WeightFile> files;
    private final Map<String, Location> locations;

    private CheckpointWeights(List<WeightFile> files, Map<String, Location> locations) {
        this.files = files;
        this.locations = locations;
    }

    /**
     * Opens the weight files and compares what they hold with what the model needs.
     *
     * @param paths one file, or the shards of {@code index}
     * @throws CheckpointException naming the file, or listing all missing, unexpected and unusable tensors
     */
    static CheckpointWeights open(List<Path> paths, @Nullable ShardIndex index, IdeficsConfig config) {
        List<WeightFile> files = new ArrayList<>();
        try {
            for (Path path : paths) {
                files.add(WeightFile.open(path));
            }
            Path subject = index == null ? paths.get(0) : index.file();
            return new CheckpointWeights(files, locate(files, index, config, subject));
        } catch (RuntimeException e) {
            files.forEach(WeightFile::close);
            throw e;
        }
    }

    /** The tensor names of the model, in the order of {@link IdeficsParameters#expected}. */
    public Set<String> names() {
        return Collections.unmodifiableSet(locations.keySet());
    }

    /**
     * One tensor of the model.
     *
     * @throws CheckpointException when the model has no tensor of that name, or the file cannot be mapped
     */
    public StoredTensor tensor(String name) {
        Location location = location(name);
        return location.file().tensor(location.storedName());
    }

    /**
     * Type and shape of a tensor of the model.
     *
     * @throws CheckpointException when the model has no tensor of that name
     */
    public TensorSpec spec(String name) {
        Location location = location(name);
        return Objects.requireNonNull(location.file().specs().get(location.storedName()));
    }

    /**
     * Copies the values of a tensor of the model to memory, without mapping them.
     *
     * @param target a direct buffer with exactly as many bytes remaining as the tensor has; left at its end
     * @throws CheckpointException when the model has no tensor of that name, or the file cannot be read
     */
    public void read(String name, ByteBuffer target) {
        Location location = location(name);
        location.file().read(location.storedName(), target);
    }

    /** The weight files. */
    public List<Path> paths() {
        return files.stream().map(WeightFile::path).toList();
    }

    private Location location(String name) {
        Location location = locations.get(name);
        if (location == null) {
            throw new CheckpointException("the model has no tensor " + quote(name));
        }
        return location;
    }

    /** Closes the files; tensors handed out stay readable. */
    @Override
    public void close() {
        files.forEach(WeightFile::close);
    }

    private static Map<String, Location> locate(
            List<WeightFile> files, @Nullable ShardIndex index, IdeficsConfig config, Path subject) {
        Faults faults = new Faults();
        Map<String, Stored> stored = merge(files, faults);
        if (index != null) {
            checkIndex(index, stored, faults);
        }
        Map<String, long[]> expected = IdeficsParameters.expected(config);
        Map<String, Location> locations = new LinkedHashMap<>();
        expected.forEach((name, shape) -> {
            String storedName = storedName(name, config);
            Stored tensor = stored.get(storedName);
            if (tensor == null) {
                faults.add("tensor " + quote(storedName) + " is missing");
                return;
            }
            checkSpec(tensor, storedName, shape, config, faults);
            locations.put(name, new Location(tensor.file(), storedName));
        });
        stored.forEach((name, tensor) -> {
            if (!expected.containsKey(name) && !IdeficsParameters.isLegacyBuffer(name)) {
                faults.add("tensor " + quote(name) + " in "
                        + tensor.file().path().getFileName() + " is not part of the model");
            }
        });
        faults.check(subject + ": the weights do not fit the configuration");
        return locations;
    }

    private static Map<String, Stored> merge(List<WeightFile> files, Faults faults) {
        Map<String, Stored> stored = new LinkedHashMap<>();
        for (WeightFile file : files) {
            file.specs().forEach((name, spec) -> {
                Stored other = stored.put(name, new Stored(file, spec));
                if (other != null) {
                    faults.add("tensor " + quote(name) + " is both in "
                            + other.file().path().getFileName() + " and in "
                            + file.path().getFileName());
                }
            });
        }
        return stored;
    }

    private static void checkIndex(ShardIndex index, Map<String, Stored> stored, Faults faults) {
        index.fileOfTensor().forEach((name, shard) -> {
            Stored tensor = stored.get(name);
            if (tensor == null || !tensor.file().path().endsWith(shard)) {
                faults.add("tensor " + quote(name) + " is not in " + shard + " as the index says");
            }
        });
    }

    private static void checkSpec(Stored tensor, String name, long[] shape, IdeficsConfig config, Faults faults) {
        TensorSpec spec = tensor.spec();
        String subject = "tensor " + quote(name) + " in " + tensor.file().path().getFileName();
        if (!IdeficsParameters.accepts(name, shape, spec.shape(), config)) {
            faults.add(
                    subject + " has shape " + Arrays.toString(spec.shape()) + ", expected " + Arrays.toString(shape));
        }
        if (!FLOATING.contains(spec.type())) {
            faults.add(subject + " has type " + spec.type() + ", expected one of " + FLOATING);
        }
    }

    /** With tied embeddings the head is the embedding, whatever is stored for it. */
    private static String storedName(String name, IdeficsConfig config) {
        if (!config.tieWordEmbeddings()) {
            return name;
        }
        return switch (name) {
            case IdeficsParameters.HEAD -> IdeficsParameters.EMBEDDING;
            case IdeficsParameters.ADDITIONAL_HEAD -> IdeficsParameters.ADDITIONAL_EMBEDDING;
            default -> name;
        };
    }
}
