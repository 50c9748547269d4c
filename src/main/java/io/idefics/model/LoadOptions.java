package io.idefics.model;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How a model is brought into memory.
 *
 * @param type the type in which matrices are multiplied
 * @param quantization in how many bits matrices are kept
 * @param layout how matrices that are not quantised are kept; null for the fastest that the machine has
 * @param devices where the model runs, {@code cpu} or {@code cuda:N}; its layers are split over several
 * @param quantizedCache the directory where quantised matrices are kept for the next start; null for none
 * @param listener hears of the progress
 */
public record LoadOptions(
        ComputeType type,
        Quantization quantization,
        @Nullable WeightLayout layout,
        List<String> devices,
        @Nullable Path quantizedCache,
        LoadListener listener) {

    public LoadOptions {
        devices = List.copyOf(devices);
        if (devices.isEmpty()) {
            throw new IllegalArgumentException("A model needs a device, cpu or cuda:N");
        }
    }

    /** Unquantised weights in the fastest layout. */
    public static LoadOptions of(ComputeType type, String device) {
        return new LoadOptions(type, Quantization.NONE, null, List.of(device), null, (bytes, total) -> {});
    }

    public LoadOptions withQuantization(Quantization other) {
        return new LoadOptions(type, other, layout, devices, quantizedCache, listener);
    }

    public LoadOptions withLayout(@Nullable WeightLayout other) {
        return new LoadOptions(type, quantization, other, devices, quantizedCache, listener);
    }

    public LoadOptions withQuantizedCache(@Nullable Path directory) {
        return new LoadOptions(type, quantization, layout, devices, directory, listener);
    }

    public LoadOptions withListener(LoadListener other) {
        return new LoadOptions(type, quantization, layout, devices, quantizedCache, other);
    }

    /** The device of images, embeddings and the first layers. */
    String device() {
        return devices.get(0);
    }

    /** Whether all of the model is on the CPU. */
    boolean onCpu() {
        return devices.stream().allMatch(device -> device.startsWith("cpu"));
    }
}
