package io.idefics.model;

import ai.djl.Device;
import ai.djl.engine.EngineException;
import ai.djl.util.cuda.CudaUtils;
import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryUsage;
import java.util.Optional;

/**
 * The memory of a device before any model is loaded.
 *
 * @param total all of it: for the CPU that of the machine or of the container, whichever is less
 * @param reserved what models cannot have: on the CPU the heap of Java at its largest and what the process needs beside
 *     it, on a GPU what others use and what CUDA itself takes
 */
public record DeviceMemory(long total, long reserved) {

    /** Class data, compiled code, threads, network buffers and the code of libtorch. */
    private static final long PROCESS_BYTES = 256L << 20;

    /** The context and the libraries of CUDA, and what its allocator loses to fragments. */
    private static final long CUDA_BYTES = 1L << 30;

    /** What models can have. */
    public long available() {
        return Math.max(0, total - reserved);
    }

    /**
     * The memory of a device of this machine, empty where nobody can tell.
     *
     * @param device {@code cpu} or {@code cuda:N}
     */
    public static Optional<DeviceMemory> of(String device) {
        return device.equals("cpu") ? Optional.of(ofCpu()) : ofGpu(device);
    }

    /** The CPU's, with the limits of control groups (versions 1 and 2), which the JVM reads. */
    private static DeviceMemory ofCpu() {
        long total =
                ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
        return new DeviceMemory(total, Runtime.getRuntime().maxMemory() + PROCESS_BYTES);
    }

    private static Optional<DeviceMemory> ofGpu(String device) {
        try {
            if (!CudaUtils.hasCuda()) {
                return Optional.empty();
            }
            MemoryUsage usage =
                    CudaUtils.getGpuMemory(Device.gpu(Integer.parseInt(device.substring("cuda:".length()))));
            return Optional.of(new DeviceMemory(usage.getMax(), usage.getUsed() + CUDA_BYTES));
        } catch (EngineException | IllegalArgumentException | LinkageError e) {
            return Optional.empty(); // a library of another version, or a device that is not there
        }
    }
}
