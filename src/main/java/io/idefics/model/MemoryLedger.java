package io.idefics.model;

import io.idefics.checkpoint.IdeficsConfig;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The memory of all devices and which model takes how much of it, so that each plans with what the others leave. */
public final class MemoryLedger {

    /*
     * Models are planned as they are loaded, at the same time and in any order. So that the cache of the first does not
     * take what the weights of the second need, every model is announced with the least that it needs before any is
     * planned; its plan then replaces what was announced.
     */

    private final Function<String, Optional<DeviceMemory>> machine;
    private final Map<String, Optional<DeviceMemory>> devices = new HashMap<>();
    private final Map<String, Map<String, Long>> takenByModel = new HashMap<>();

    /** @param machine tells the memory of a device; asked once for each, before anything is loaded there */
    public MemoryLedger(Function<String, Optional<DeviceMemory>> machine) {
        this.machine = machine;
    }

    /** The memory of this machine. */
    public static MemoryLedger ofMachine() {
        return new MemoryLedger(DeviceMemory::of);
    }

    /** Keeps the least that a model needs free for it. */
    public synchronized void announce(
            String model, IdeficsConfig config, MemoryPlan.Settings settings, List<List<String>> placements) {
        takenByModel.put(model, MemoryPlan.least(config, settings, placements));
    }

    /**
     * Plans a model within what the others leave, and keeps that for it.
     *
     * @param placements for each replica its devices
     * @throws InsufficientMemoryException when it does not fit; nothing is kept for it then
     */
    public synchronized MemoryPlan plan(
            String model, IdeficsConfig config, MemoryPlan.Settings settings, List<List<String>> placements) {
        takenByModel.remove(model);
        MemoryPlan plan = MemoryPlan.of(model, config, settings, placements, this::share);
        takenByModel.put(model, plan.bytesByDevice());
        return plan;
    }

    /** Gives back what is kept for a model. */
    public synchronized void release(String model) {
        takenByModel.remove(model);
    }

    private @Nullable Share share(String device) {
        DeviceMemory memory = devices.computeIfAbsent(device, machine).orElse(null);
        if (memory == null) {
            return null;
        }
        long taken = takenByModel.values().stream()
                .mapToLong(byDevice -> byDevice.getOrDefault(device, 0L))
                .sum();
        return new Share(memory, taken);
    }

    /**
     * What of a device is there for one model.
     *
     * @param taken bytes that are kept for other models
     */
    record Share(DeviceMemory memory, long taken) {

        long left() {
            return Math.max(0, memory.available() - taken);
        }
    }
}
