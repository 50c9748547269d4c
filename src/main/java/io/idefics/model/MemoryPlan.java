package io.idefics.model;

import io.idefics.checkpoint.IdeficsConfig;
import io.idefics.checkpoint.IdeficsConfig.VisionConfig;
import io.idefics.checkpoint.IdeficsParameters;
import io.idefics.checkpoint.TensorType;
import io.idefics.model.MemoryLedger.Share;
import io.idefics.model.WeightPlan.Form;
import io.idefics.model.WeightPlan.PlannedTensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** What a model and its caches take on each device, computed from its configuration before anything big is loaded. */
public final class MemoryPlan {

    /*
     * Weights, caches and workspace follow from the configuration alone. Only the key/value cache is elastic: unless its
     * size is given, it takes what the rest leaves, up to a full context for every sequence of a full batch. On a device
     * that is used by several replicas they share what is left alike; a replica over several devices has as many tokens
     * as the tightest of them holds.
     *
     * Mapped weights can be dropped by the system at any time, so they need not fit, but a cache that is sized
     * automatically leaves them their place.
     */

    private static final double CPU_SHARE = 0.8; // the rest is for the file cache
    private static final double GPU_SHARE = 0.9; // the rest is for fragments
    private static final int FLOAT_BYTES = 4;

    /** What the machine is taken to have: libtorch, which knows, need not be loaded yet. */
    private static final MatrixKernels KERNELS = new MatrixKernels(true, true);

    /**
     * What the plan depends on besides the configuration of the checkpoint.
     *
     * @param stored the type of the tensors of the checkpoint
     * @param layout how matrices lie on the CPU; null for the fastest, which is in memory of their own for bfloat16
     * @param contextLength the most tokens of a sequence
     * @param maxSequences the most sequences that run at the same time
     * @param maxStepTokens the most tokens of one step
     * @param maxBatchImages the most pictures in the vision tower at the same time
     * @param blockTokens tokens of a block of the key/value cache
     * @param keyValueBytes size of the key/value cache of a replica, null for what fits
     * @param imageBytes size of the cache of what the gated blocks see of pictures, null for two of each sequence
     * @param latentBytes size of the cache of resampled pictures, null for 256
     */
    public record Settings(
            ComputeType type,
            TensorType stored,
            Quantization quantization,
            @Nullable WeightLayout layout,
            int contextLength,
            int maxSequences,
            int maxStepTokens,
            int maxBatchImages,
            int blockTokens,
            @Nullable Long keyValueBytes,
            @Nullable Long imageBytes,
            @Nullable Long latentBytes) {

        private static final int LEAST_IMAGES = 32;
        private static final int LATENTS = 256;

        Settings with(Quantization other) {
            return new Settings(
                    type,
                    stored,
                    other,
                    layout,
                    contextLength,
                    maxSequences,
                    maxStepTokens,
                    maxBatchImages,
                    blockTokens,
                    keyValueBytes,
                    imageBytes,
                    latentBytes);
        }

        private boolean canMap() {
            return quantization == Quantization.NONE && stored == type.stored();
        }

        private boolean mapsMatrices() {
            boolean chosen = layout == null ? type == ComputeType.FLOAT32 : layout == WeightLayout.MAPPED;
            return chosen && canMap();
        }

        private int images(long perImage) {
            return imageBytes == null
                    ? Math.max(LEAST_IMAGES, 2 * maxSequences)
                    : count("image-cache-size", imageBytes, perImage);
        }

        private int latents(long perImage) {
            return latentBytes == null ? LATENTS : count("latent-cache-size", latentBytes, perImage);
        }

        private static int count(String property, long bytes, long perImage) {
            if (bytes < perImage) {
                throw new InsufficientMemoryException("idefics.engine." + property + " is " + text(bytes)
                        + ", but one picture takes " + text(perImage));
            }
            return (int) Math.min(bytes / perImage, Integer.MAX_VALUE);
        }
    }

    /**
     * The caches of one replica.
     *
     * @param tokens tokens that the key/value cache holds, a multiple of the block size
     * @param images pictures whose keys and values for the gated blocks it holds
     * @param latents pictures whose resampled states it holds
     */
    public record Slots(int tokens, int images, int latents) {}

    /**
     * What one replica takes on one device, in bytes.
     *
     * @param mapped weights that lie in mapped files and need not fit
     */
    public record Part(
            String device, long weights, long mapped, long cache, long images, long latents, long workspace) {

        /** All that must fit. */
        public long sum() {
            return weights + cache + images + latents + workspace;
        }

        private Part withCache(long bytes) {
            return new Part(device, weights, mapped, bytes, images, latents, workspace);
        }
    }

    /**
     * One replica.
     *
     * @param deviceOfLayer for each decoder layer the index of its device
     * @param parts one for each device
     */
    public record Replica(List<String> devices, int[] deviceOfLayer, List<Part> parts, Slots slots) {}

    private final String model;
    private final Settings settings;
    private final List<Replica> replicas;
    private final Map<String, Long> available;

    private MemoryPlan(String model, Settings settings, List<Replica> replicas, Map<String, Long> available) {
        this.model = model;
        this.settings = settings;
        this.replicas = replicas;
        this.available = available;
    }

    /**
     * Plans the replicas of a model.
     *
     * @param shares tells what there is of a device, null where nobody knows: such a device is not checked
     */
    static MemoryPlan of(
            String model,
            IdeficsConfig config,
            Settings settings,
            List<List<String>> placements,
            Function<String, @Nullable Share> shares) {
        Sizes sizes = new Sizes(config, settings);
        List<Replica> least = placements.stream()
                .map(devices -> sizes.replica(devices, sizes.leastTokens()))
                .toList();
        Map<String, Long> needed = bytesByDevice(least);
        Map<String, Long> available = new HashMap<>();
        needed.forEach((device, bytes) -> {
            Share share = shares.apply(device);
            if (share == null) {
                return;
            }
            available.put(device, share.left());
            if (bytes > share.left()) {
                throw new InsufficientMemoryException(
                        refusal(model, config, settings, placements, least, device, share));
            }
        });
        List<Replica> replicas = least.stream()
                .map(replica -> sizes.replica(replica.devices(), sizes.tokens(replica, least, available)))
                .toList();
        return new MemoryPlan(model, settings, replicas, available);
    }

    /** The least that a model needs, in bytes by device. */
    static Map<String, Long> least(IdeficsConfig config, Settings settings, List<List<String>> placements) {
        Sizes sizes = new Sizes(config, settings);
        return bytesByDevice(placements.stream()
                .map(devices -> sizes.replica(devices, sizes.leastTokens()))
                .toList());
    }

    public List<Replica> replicas() {
        return replicas;
    }

    /** What all replicas together take, in bytes by device. */
    public Map<String, Long> bytesByDevice() {
        return bytesByDevice(replicas);
    }

    /** The plan as a table for people, one block of lines for each replica and device. */
    public String table() {
        StringBuilder table = new StringBuilder("Memory of " + model);
        for (int i = 0; i < replicas.size(); i++) {
            for (int device = 0; device < replicas.get(i).parts().size(); device++) {
                append(table, i, device);
            }
        }
        return table.toString();
    }

    private void append(StringBuilder table, int index, int device) {
        Replica replica = replicas.get(index);
        Part part = replica.parts().get(device);
        Slots slots = replica.slots();
        double contexts = slots.tokens() / (double) settings.contextLength();
        table.append("\n  replica ").append(index).append(" on ").append(part.device());
        if (replica.devices().size() > 1) {
            table.append(", ")
                    .append(Sizes.layersOf(replica.deviceOfLayer(), device))
                    .append(" layers");
        }
        if (part.weights() > 0) {
            line(table, "weights", part.weights(), weights(settings));
        }
        if (part.mapped() > 0) {
            line(table, "(mapped)", part.mapped(), "weights read from their files as needed");
        }
        line(
                table,
                "cache",
                part.cache(),
                String.format(
                        Locale.ROOT,
                        "%d tokens = %.1f full contexts of %d",
                        slots.tokens(),
                        contexts,
                        settings.contextLength()));
        line(table, "images", part.images(), slots.images() + " pictures");
        line(table, "latents", part.latents(), slots.latents() + " pictures");
        line(table, "workspace", part.workspace(), "steps of " + settings.maxStepTokens() + " tokens");
        line(table, "sum", part.sum(), "");
        Long there = available.get(part.device());
        if (there != null) {
            line(table, "available", there, "");
        }
    }

    private static void line(StringBuilder table, String name, long bytes, String meaning) {
        table.append(String.format(Locale.ROOT, "%n    %-10s %10s  %s", name, text(bytes), meaning)
                .stripTrailing());
    }

    private static String weights(Settings settings) {
        return settings.quantization() == Quantization.NONE ? word(settings.type()) : word(settings.quantization());
    }

    private static Map<String, Long> bytesByDevice(List<Replica> replicas) {
        return replicas.stream()
                .flatMap(replica -> replica.parts().stream())
                .collect(Collectors.toMap(Part::device, Part::sum, Long::sum, HashMap::new));
    }

    /** What is missing, of what the sum consists, and what could be changed. */
    private static String refusal(
            String model,
            IdeficsConfig config,
            Settings settings,
            List<List<String>> placements,
            List<Replica> least,
            String device,
            Share share) {
        Part sum = sum(least, device);
        long replicas = least.stream()
                .filter(replica -> replica.devices().contains(device))
                .count();
        StringBuilder text = new StringBuilder(model + " needs " + text(sum.sum()) + " on " + device + ": weights "
                + text(sum.weights()) + " (" + weights(settings) + ") + cache " + text(sum.cache()) + " ("
                + least.get(0).slots().tokens() + " tokens) + images " + text(sum.images()) + " + latents "
                + text(sum.latents()) + " + workspace " + text(sum.workspace()));
        if (replicas > 1) {
            text.append(", for ").append(replicas).append(" replicas");
        }
        text.append("; ").append(device).append(" has ").append(text(share.left()));
        text.append(" (").append(text(share.memory().total())).append(" less ");
        text.append(text(share.memory().reserved())).append(device.equals("cpu") ? " for Java" : " in use or for CUDA");
        if (share.taken() > 0) {
            text.append(", less ").append(text(share.taken())).append(" for other models");
        }
        List<String> choices = choices(config, settings, placements, sum, share, replicas > 1);
        return text.append("). Choose ")
                .append(String.join(", or ", choices))
                .append(".")
                .toString();
    }

    private static List<String> choices(
            IdeficsConfig config,
            Settings settings,
            List<List<String>> placements,
            Part sum,
            Share share,
            boolean severalReplicas) {
        String device = sum.device();
        List<String> choices = new ArrayList<>();
        for (Quantization smaller : Quantization.values()) {
            if (smaller.compareTo(settings.quantization()) > 0) {
                long bytes = least(config, settings.with(smaller), placements).getOrDefault(device, 0L);
                if (bytes <= share.left()) {
                    choices.add("quantization " + word(smaller) + " (" + text(bytes) + ")");
                }
            }
        }
        if (severalReplicas) {
            choices.add("fewer replicas");
        }
        if (sum.sum() - sum.cache() < share.left()) {
            choices.add(settings.keyValueBytes() == null ? "a smaller max-context-length" : "a smaller kv-cache-size");
        }
        if (device.equals("cpu")) {
            if (settings.canMap() && !settings.mapsMatrices()) {
                choices.add("layout mapped");
            }
            choices.add("a smaller Java heap (-Xmx)");
        } else {
            choices.add("more devices");
        }
        return choices;
    }

    private static Part sum(List<Replica> replicas, String device) {
        return replicas.stream()
                .flatMap(replica -> replica.parts().stream())
                .filter(part -> part.device().equals(device))
                .reduce(
                        new Part(device, 0, 0, 0, 0, 0, 0),
                        (a, b) -> new Part(
                                device,
                                a.weights() + b.weights(),
                                a.mapped() + b.mapped(),
                                a.cache() + b.cache(),
                                a.images() + b.images(),
                                a.latents() + b.latents(),
                                a.workspace() + b.workspace()));
    }

    private static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    /** Bytes in decimal units, with one digit behind the point. */
    static String text(long bytes) {
        if (bytes < 1_000_000) {
            return String.format(Locale.ROOT, "%.1f kB", bytes / 1e3);
        }
        return bytes < 1_000_000_000
                ? String.format(Locale.ROOT, "%.1f MB", bytes / 1e6)
                : String.format(Locale.ROOT, "%.1f GB", bytes / 1e9);
    }

    /** The formulas. Letters: T tokens of a step, H decoder width, F decoder feed-forward width. */
    private static final class Sizes {

        private final IdeficsConfig config;
        private final Settings settings;

        Sizes(IdeficsConfig config, Settings settings) {
            this.config = config;
            this.settings = settings;
        }

        /** One full context, or what was asked for. */
        int leastTokens() {
            Long bytes = settings.keyValueBytes();
            int context = wholeBlocks(settings.contextLength());
            if (bytes == null) {
                return context;
            }
            long perToken = bytesPerToken(config.numHiddenLayers());
            long tokens = bytes / perToken / settings.blockTokens() * settings.blockTokens();
            if (tokens < context) {
                throw new InsufficientMemoryException("idefics.engine.kv-cache-size is " + text(bytes) + ", room for "
                        + tokens + " tokens; a full context of " + settings.contextLength() + " tokens takes "
                        + text(context * perToken) + ". Choose a larger one or a smaller max-context-length.");
            }
            return (int) Math.min(tokens, Integer.MAX_VALUE / 2);
        }

        /** A full context for each sequence, or what is left on the tightest device. */
        int tokens(Replica least, List<Replica> all, Map<String, Long> available) {
            if (settings.keyValueBytes() != null) {
                return least.slots().tokens();
            }
            long wanted = (long) wholeBlocks(settings.contextLength()) * settings.maxSequences();
            for (int i = 0; i < least.parts().size(); i++) {
                Part part = least.parts().get(i);
                Long there = available.get(part.device());
                if (there != null) {
                    wanted = Math.min(wanted, fitting(least, i, all, there));
                }
            }
            long tokens = Math.max(wanted, least.slots().tokens());
            return (int) Math.min(tokens, Integer.MAX_VALUE / 2) / settings.blockTokens() * settings.blockTokens();
        }

        /** How many tokens fit on a device of a replica. */
        private long fitting(Replica least, int index, List<Replica> all, long available) {
            String device = least.parts().get(index).device();
            Part sum = sum(all, device);
            long left = available - sum.withCache(0).sum() - mapped(all, device);
            long perToken = 0; // of all parts on this device together
            for (Replica replica : all) {
                for (int i = 0; i < replica.parts().size(); i++) {
                    if (replica.parts().get(i).device().equals(device)) {
                        perToken += bytesPerToken(layersOf(replica.deviceOfLayer(), i));
                    }
                }
            }
            double share = device.equals("cpu") ? CPU_SHARE : GPU_SHARE;
            return perToken == 0 ? Long.MAX_VALUE : (long) (Math.max(0, left) * share) / perToken;
        }

        /** Mapped weights on a device, which replicas share. */
        private static long mapped(List<Replica> all, String device) {
            return all.stream()
                    .mapToLong(replica -> sum(List.of(replica), device).mapped())
                    .max()
                    .orElse(0);
        }

        Replica replica(List<String> devices, int tokens) {
            WeightPlan plan = weights(devices);
            int[] deviceOfLayer = plan.deviceOfLayer(config, devices.size());
            long[] weights = new long[devices.size()];
            long[] mapped = new long[devices.size()];
            addWeights(plan.tensors(), deviceOfLayer, weights, mapped);
            int images = settings.images(imageBytes(config.gatedBlocks()));
            int latents = settings.latents(latentBytes());
            List<Part> parts = new ArrayList<>();
            for (int i = 0; i < devices.size(); i++) {
                parts.add(new Part(
                        devices.get(i),
                        weights[i],
                        mapped[i],
                        tokens * bytesPerToken(layersOf(deviceOfLayer, i)),
                        images * imageBytes(gatedBlocksOf(deviceOfLayer, i)),
                        i == 0 ? latents * latentBytes() : 0,
                        workspace(i == 0, i == devices.size() - 1)));
            }
            return new Replica(List.copyOf(devices), deviceOfLayer, parts, new Slots(tokens, images, latents));
        }

        private WeightPlan weights(List<String> devices) {
            LoadOptions options = new LoadOptions(
                    settings.type(), settings.quantization(), settings.layout(), devices, null, (bytes, total) -> {});
            return WeightPlan.of(config, name -> settings.stored(), options, KERNELS);
        }

        private void addWeights(List<PlannedTensor> tensors, int[] deviceOfLayer, long[] weights, long[] mapped) {
            for (PlannedTensor tensor : tensors) {
                int layer = Placement.layer(tensor.name(), config);
                int last = weights.length - 1;
                int device = layer >= 0 ? deviceOfLayer[layer] : Placement.isLast(tensor.name()) ? last : 0;
                (tensor.form() == Form.MAPPED ? mapped : weights)[device] += tensor.bytes();
            }
        }

        /** The largest tensor in float32, the form in which it may pass through memory when it is converted. */
        private long largestInFloat() {
            return IdeficsParameters.expected(config).values().stream()
                    .mapToLong(shape -> Arrays.stream(shape).reduce(FLOAT_BYTES, Math::multiplyExact))
                    .max()
                    .orElse(0);
        }

        /** A key and a value in each layer. */
        private long bytesPerToken(int layers) {
            return 2L * layers * config.hiddenSize() * settings.type().byteSize();
        }

        /** Keys and values of the gated blocks for the latents of one picture, float32. */
        private long imageBytes(int gatedBlocks) {
            return 2L * gatedBlocks * config.imageTokens() * config.hiddenSize() * FLOAT_BYTES;
        }

        private long latentBytes() {
            return (long) config.imageTokens() * config.visionConfig().embedDim() * FLOAT_BYTES;
        }

        private long workspace(boolean first, boolean last) {
            long bytes = decoderWorkspace();
            if (first) {
                bytes += visionWorkspace();
            }
            if (last) {
                bytes += 2L * settings.maxSequences() * config.totalVocabSize() * FLOAT_BYTES; // both halves, joined
            }
            return Math.max(bytes, largestInFloat());
        }

        /**
         * One layer of a step at its widest: the residual, its norm and rounding, queries, keys and values with their
         * rotation in float32, and the two branches of the feed-forward; and a context gathered from its blocks.
         */
        private long decoderWorkspace() {
            long tokens = Math.max(settings.maxStepTokens(), settings.maxSequences());
            long compute = settings.type().byteSize();
            long attention = config.hiddenSize() * (6L * FLOAT_BYTES + 4 * compute);
            long feedForward = config.intermediateSize() * (2L * FLOAT_BYTES + 2 * compute);
            long gathered = 2L * settings.contextLength() * config.hiddenSize() * compute;
            return tokens * (attention + feedForward) + gathered;
        }

        /** One layer of the vision tower for a batch of pictures, and the pixels. */
        private long visionWorkspace() {
            VisionConfig vision = config.visionConfig();
            long compute = settings.type().byteSize();
            long pixels = 3L * vision.imageSize() * vision.imageSize() * FLOAT_BYTES;
            long patch = vision.embedDim() * (3L * FLOAT_BYTES + 4 * compute)
                    + vision.intermediateSize() * (FLOAT_BYTES + 2 * compute);
            return settings.maxBatchImages() * (pixels + vision.positions() * patch);
        }

        private static int layersOf(int[] deviceOfLayer, int device) {
            return (int) Arrays.stream(deviceOfLayer)
                    .filter(layer -> layer == device)
                    .count();
        }

        private int gatedBlocksOf(int[] deviceOfLayer, int device) {
            int blocks = 0;
            for (int layer = 0; layer < deviceOfLayer.length; layer += config.crossLayerInterval()) {
                blocks += deviceOfLayer[layer] == device ? 1 : 0;
            }
            return blocks;
        }

        private int wholeBlocks(int tokens) {
            int block = settings.blockTokens();
            return (tokens + block - 1) / block * block;
        }
    }
}
