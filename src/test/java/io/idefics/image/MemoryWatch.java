package io.idefics.image;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.nio.file.Files;
import java.nio.file.Path;

/** What this process, or another on this machine, takes of memory and threads, in MB. */
final class MemoryWatch {

    private MemoryWatch() {}

    static String now(String pid) throws IOException {
        if (pid.equals("self")) {
            for (int i = 0; i < 3; i++) {
                System.gc();
            }
        }
        String heap = pid.equals("self")
                ? (ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed() >> 20) + " MB heap after GC, "
                : "";
        return heap + status(pid, "VmRSS") + " MB resident, " + status(pid, "VmHWM") + " MB at most, " + threads(pid)
                + " threads";
    }

    /** The peak of the heap of this process. */
    static long peakHeap() {
        return ManagementFactory.getMemoryPoolMXBeans().stream()
                        .filter(pool -> pool.getType() == MemoryType.HEAP)
                        .map(MemoryPoolMXBean::getPeakUsage)
                        .mapToLong(java.lang.management.MemoryUsage::getUsed)
                        .sum()
                >> 20;
    }

    static long threads(String pid) throws IOException {
        return line(pid, "Threads");
    }

    private static long status(String pid, String name) throws IOException {
        return line(pid, name) >> 10;
    }

    private static long line(String pid, String name) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc", pid, "status"))) {
            if (line.startsWith(name + ":")) {
                return Long.parseLong(line.replaceAll("[^0-9]", ""));
            }
        }
        return 0;
    }
}
