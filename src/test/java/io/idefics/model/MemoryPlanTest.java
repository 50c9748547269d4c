package io.idefics.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.checkpoint.IdeficsConfig;
import io.idefics.checkpoint.IdeficsParameters;
import io.idefics.checkpoint.ModelDirectory;
import io.idefics.checkpoint.TensorType;
import io.idefics.checkpoint.TestModels;
import io.idefics.model.MemoryPlan.Part;
import io.idefics.model.MemoryPlan.Settings;
import io.idefics.testing.MiniEvaluation;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class MemoryPlanTest {

    private static final long GB = 1_000_000_000L;
    private static final IdeficsConfig SMALL = TestModels.published("9b");
    private static final IdeficsConfig LARGE = TestModels.published("80b");
    private static final Settings BFLOAT16 = settings(Quantization.NONE);
    private static final List<List<String>> CPU = List.of(List.of("cpu"));

    @Test
    void weights_9bInBfloat16_areTwoBytesAParameterAndFourWhereFloat32IsKept() {
        long float32 = float32ParametersOf9b();

        Part part = part(plan(SMALL, BFLOAT16, CPU, 100 * GB));
        long embeddings = 2 * 32002L * 4096;
        assertThat(part.mapped()).isEqualTo(embeddings);
        assertThat(part.weights()).isEqualTo(2 * 8_929_679_632L + 2 * float32 - embeddings);
        Part gpu = part(plan(SMALL, BFLOAT16, List.of(List.of("cuda:0")), 100 * GB));
        assertThat(gpu.mapped()).isZero();
        assertThat(gpu.weights()).isEqualTo(2 * 8_929_679_632L + 2 * float32);
    }

    @Test
    void weights_float32_areFourBytesAParameter() {
        Settings settings = settings(ComputeType.FLOAT32, Quantization.NONE, WeightLayout.PACKED, null, null, null);

        Part part = part(plan(LARGE, settings, CPU, 1000 * GB));
        assertThat(part.weights() + part.mapped()).isEqualTo(4 * IdeficsParameters.count(LARGE));
    }

    @Test
    void weights_quantised_areAboutOneAndHalfAByteAParameter() {
        long int8 =
                part(plan(LARGE, settings(Quantization.INT8), CPU, 1000 * GB)).weights();
        long int4 =
                part(plan(LARGE, settings(Quantization.INT4), CPU, 1000 * GB)).weights();

        // Scales add four bytes a row, or four a group of 128; the vision tower and the head have eight bits.
        assertThat(int8 / 1e9).isBetween(79.5, 80.0);
        assertThat(int4 / 1e9).isBetween(42.0, 43.0);
        String matrix = "model.layers.0.mlp.up_proj.weight";
        assertThat(bytes(matrix, Quantization.INT8, 64, 256)).isEqualTo(64 * 256 + 64 * 4);
        assertThat(bytes(matrix, Quantization.INT4, 64, 256)).isEqualTo(64 * 128 + 64 * 2 * 2 * 2);
        assertThat(bytes(matrix, Quantization.INT4, 64, 96)).as("groups of 32").isEqualTo(64 * 48 + 64 * 3 * 2 * 2);
        assertThat(bytes(matrix, Quantization.INT4, 10, 256))
                .as("rows that four bits cannot have")
                .isEqualTo(10 * 256 + 10 * 4);
    }

    @Test
    void weights_layouts_countWhatIsCopiedAndWhatIsMapped() {
        IdeficsConfig config = ModelDirectory.open(MiniEvaluation.MODEL).config();
        Part packed = part(plan(config, BFLOAT16, CPU, 100 * GB));
        Part mapped = part(plan(
                config,
                settings(ComputeType.BFLOAT16, Quantization.NONE, WeightLayout.MAPPED, null, null, null),
                CPU,
                100 * GB));
        Part int8 = part(plan(config, settings(Quantization.INT8), CPU, 100 * GB));

        long embeddings = (1000L + 3) * 192 * 2;
        assertThat(mapped.mapped() + mapped.weights()).isEqualTo(packed.mapped() + packed.weights());
        assertThat(mapped.weights()).as("what is widened to float32").isLessThan(packed.weights() / 10);
        assertThat(packed.mapped()).isEqualTo(embeddings);
        assertThat(int8.mapped()).isEqualTo(embeddings);
        assertThat(int8.weights()).isBetween(packed.weights() / 2, packed.weights() * 6 / 10);
    }

    @Test
    void caches_plentyOfMemory_holdAFullContextForEverySequence() {
        MemoryPlan plan = plan(SMALL, BFLOAT16, CPU, 100 * GB);
        Part part = part(plan);

        assertThat(plan.replicas().get(0).slots()).isEqualTo(new MemoryPlan.Slots(16 * 2048, 32, 256));
        assertThat(part.cache()).isEqualTo(16 * 2048 * 2L * 32 * 4096 * 2);
        assertThat(part.images()).isEqualTo(32 * 2L * 8 * 64 * 4096 * 4);
        assertThat(part.latents()).isEqualTo(256 * 64L * 1280 * 4);
        assertThat(plan.bytesByDevice()).isEqualTo(Map.of("cpu", part.sum()));
    }

    @Test
    void cache_littleMemory_takesItsShareOfWhatIsLeft() {
        Part whole = part(plan(SMALL, BFLOAT16, CPU, 100 * GB));
        long rest = whole.sum() - whole.cache() + whole.mapped();

        MemoryPlan plan = plan(SMALL, BFLOAT16, CPU, rest + 5 * GB);

        assertThat(plan.replicas().get(0).slots().tokens()).isEqualTo((int) (4 * GB / (2 * 32 * 4096 * 2)) / 16 * 16);
        assertThat(part(plan).sum()).isLessThan(rest + 5 * GB);
    }

    @Test
    void cache_ofGivenSize_holdsThatManyTokens() {
        MemoryPlan plan = plan(SMALL, withCaches(2 * GB, 100_000_000L, 10_000_000L), CPU, 100 * GB);

        assertThat(plan.replicas().get(0).slots()).isEqualTo(new MemoryPlan.Slots(3808, 5, 30));
    }

    @Test
    void cache_tooSmallForOneContext_isRefusedWithTheNumbers() {
        assertThatThrownBy(() -> plan(SMALL, withCaches(GB, null, null), CPU, 100 * GB))
                .isInstanceOf(InsufficientMemoryException.class)
                .hasMessage(
                        "idefics.engine.kv-cache-size is 1.0 GB, room for 1904 tokens; a full context of 2048 tokens"
                                + " takes 1.1 GB. Choose a larger one or a smaller max-context-length.");
        assertThatThrownBy(() -> plan(SMALL, withCaches(null, 1_000_000L, null), CPU, 100 * GB))
                .hasMessage("idefics.engine.image-cache-size is 1.0 MB, but one picture takes 16.8 MB");
        assertThatThrownBy(() -> plan(SMALL, withCaches(null, null, 1000L), CPU, 100 * GB))
                .hasMessage("idefics.engine.latent-cache-size is 1.0 kB, but one picture takes 327.7 kB");
    }

    @Test
    void plan_weightsDoNotFit_isRefusedWithTheSumAndWhatWouldFit() {
        assertThatThrownBy(() -> plan(SMALL, BFLOAT16, CPU, 16 * GB))
                .isInstanceOf(InsufficientMemoryException.class)
                .hasMessageMatching("9b needs 19\\.8 GB on cpu: weights 17\\.6 GB \\(bfloat16\\) \\+ cache 1\\.1 GB"
                        + " \\(2048 tokens\\) \\+ images 536\\.9 MB \\+ latents 83\\.9 MB \\+ workspace \\d+\\.\\d MB;"
                        + " cpu has 16\\.0 GB \\(22\\.0 GB less 6\\.0 GB for Java\\)\\. Choose quantization int8"
                        + " \\(11\\.\\d GB\\), or quantization int4 \\(7\\.\\d GB\\),"
                        + " or layout mapped, or a smaller Java heap \\(-Xmx\\)\\.");
    }

    @Test
    void plan_nothingSmallerFits_namesOnlyWhatCouldHelp() {
        assertThatThrownBy(() -> plan(LARGE, BFLOAT16, List.of(List.of("cuda:0")), 40 * GB))
                .hasMessageContaining("weights 159.9 GB")
                .hasMessageEndingWith("Choose more devices.");
        assertThatThrownBy(() -> plan(LARGE, BFLOAT16, List.of(List.of("cuda:0")), 80 * GB))
                .hasMessageContaining("Choose quantization int4 (");
    }

    @Test
    void plan_onlyTheCacheIsTooLarge_namesIt() {
        assertThatThrownBy(() -> plan(SMALL, BFLOAT16, CPU, 19 * GB)).hasMessageContaining("max-context-length");
        assertThatThrownBy(() -> plan(SMALL, withCaches(10 * GB, null, null), CPU, 19 * GB))
                .hasMessageContaining("cache 10.0 GB")
                .hasMessageContaining("a smaller kv-cache-size");
    }

    @Test
    void plan_mappedWeights_needNotFitButTheCacheLeavesThemTheirPlace() {
        Settings mapped = settings(ComputeType.BFLOAT16, Quantization.NONE, WeightLayout.MAPPED, null, null, null);

        Part part = part(plan(SMALL, mapped, CPU, 16 * GB));

        assertThat(part.weights()).as("what is widened").isEqualTo(4 * float32ParametersOf9b());
        assertThat(part.mapped()).isGreaterThan(17 * GB);
        assertThat(part.cache()).as("one context").isEqualTo(2048 * 2L * 32 * 4096 * 2);
        assertThat(part(plan(SMALL, mapped, CPU, 30 * GB)).cache()).isBetween(8 * GB, 10 * GB);
    }

    @Test
    void plan_twoReplicas_shareTheDeviceAlike() {
        MemoryPlan one = plan(SMALL, BFLOAT16, CPU, 50 * GB);
        MemoryPlan two = plan(SMALL, BFLOAT16, List.of(List.of("cpu"), List.of("cpu")), 50 * GB);

        assertThat(one.replicas().get(0).slots().tokens()).isEqualTo(16 * 2048);
        assertThat(two.replicas()).hasSize(2);
        assertThat(two.replicas().get(0).slots())
                .isEqualTo(two.replicas().get(1).slots());
        assertThat(two.bytesByDevice().get("cpu")).isBetween(47 * GB, 50 * GB);
        assertThatThrownBy(() -> plan(SMALL, BFLOAT16, List.of(List.of("cpu"), List.of("cpu")), 30 * GB))
                .hasMessageContaining("weights 35.2 GB")
                .hasMessageContaining("for 2 replicas")
                .hasMessageContaining("fewer replicas");
    }

    @Test
    void plan_80bOverFourDevices_putsItsPartsWhereTheyAreUsed() {
        MemoryPlan plan = plan(LARGE, BFLOAT16, List.of(List.of("cuda:0", "cuda:1", "cuda:2", "cuda:3")), 80 * GB);
        List<Part> parts = plan.replicas().get(0).parts();

        assertThat(parts.stream().mapToLong(Part::weights).sum())
                .isEqualTo(part(plan(LARGE, BFLOAT16, List.of(List.of("cuda:0")), 1000 * GB))
                        .weights());
        assertThat(parts).allSatisfy(part -> assertThat(part.weights()).isBetween(38 * GB, 43 * GB));
        assertThat(parts).allSatisfy(part -> assertThat(part.sum()).isLessThan(80 * GB));
        assertThat(parts.stream().map(Part::latents)).containsExactly(256 * 64L * 1280 * 4, 0L, 0L, 0L);
        long perToken = 2L * 80 * 8192 * 2;
        assertThat(parts.stream().mapToLong(Part::cache).sum())
                .isEqualTo(plan.replicas().get(0).slots().tokens() * perToken);
        assertThat(parts.stream().mapToLong(Part::images).sum()).isEqualTo(32 * 2L * 20 * 64 * 8192 * 4);
        assertThat(plan.replicas().get(0).slots().tokens()).isGreaterThan(8 * 2048);
    }

    @Test
    void plan_sameDeviceTwiceInOneReplica_countsBoth() {
        MemoryPlan whole = plan(SMALL, BFLOAT16, CPU, 100 * GB);
        MemoryPlan split = plan(SMALL, BFLOAT16, List.of(List.of("cpu", "cpu")), 100 * GB);

        assertThat(split.replicas().get(0).slots())
                .isEqualTo(whole.replicas().get(0).slots());
        assertThat(split.replicas().get(0).parts().stream()
                        .mapToLong(Part::weights)
                        .sum())
                .isEqualTo(part(whole).weights());
        assertThat(split.replicas().get(0).parts().stream()
                        .mapToLong(Part::cache)
                        .sum())
                .isEqualTo(part(whole).cache());
    }

    @Test
    void plan_deviceOfUnknownSize_isNotChecked() {
        MemoryLedger ledger = new MemoryLedger(device -> Optional.empty());

        MemoryPlan plan = ledger.plan("80b", LARGE, BFLOAT16, List.of(List.of("cuda:0")));

        assertThat(plan.replicas().get(0).slots().tokens()).isEqualTo(16 * 2048);
        assertThat(plan.table()).doesNotContain("available");
    }

    @Test
    void table_namesEveryPart() {
        assertThat(plan(SMALL, BFLOAT16, CPU, 100 * GB).table().lines().map(line -> line.replaceAll(" +", " ")))
                .startsWith(
                        "Memory of 9b",
                        " replica 0 on cpu",
                        " weights 17.6 GB bfloat16",
                        " (mapped) 262.2 MB weights read from their files as needed",
                        " cache 17.2 GB 32768 tokens = 16.0 full contexts of 2048",
                        " images 536.9 MB 32 pictures",
                        " latents 83.9 MB 256 pictures")
                .endsWith(" available 100.0 GB");
    }

    @Test
    void ledger_otherModelIsAnnounced_leavesItsShare() {
        MemoryLedger ledger = ledger(60 * GB);
        ledger.announce("other", SMALL, BFLOAT16, CPU);

        MemoryPlan first = ledger.plan("first", SMALL, BFLOAT16, CPU);
        MemoryPlan other = ledger.plan("other", SMALL, BFLOAT16, CPU);

        assertThat(first.replicas().get(0).slots().tokens()).isBetween(2048, 16 * 2048);
        assertThat(part(first).sum() + part(other).sum()).isLessThan(60 * GB);
        assertThatThrownBy(() -> ledger.plan("third", SMALL, BFLOAT16, CPU)).hasMessageContaining("for other models");
        ledger.release("first");
        assertThat(ledger.plan("third", SMALL, BFLOAT16, CPU)).isNotNull();
    }

    @Test
    void ledger_modelIsPlannedAgain_isNotInItsOwnWay() {
        MemoryLedger ledger = ledger(30 * GB);

        MemoryPlan first = ledger.plan("one", SMALL, BFLOAT16, CPU);

        assertThat(ledger.plan("one", SMALL, BFLOAT16, CPU).bytesByDevice()).isEqualTo(first.bytesByDevice());
    }

    @Test
    void deviceMemory_ofThisMachine_leavesTheHeapToJava() {
        DeviceMemory memory = DeviceMemory.of("cpu").orElseThrow();

        assertThat(memory.reserved()).isGreaterThan(Runtime.getRuntime().maxMemory());
        assertThat(memory.total()).isGreaterThan(memory.reserved());
        assertThat(memory.available()).isEqualTo(memory.total() - memory.reserved());
        assertThat(new DeviceMemory(5, 7).available()).isZero();
    }

    @Test
    void text_isInTheUnitThatFits() {
        assertThat(Stream.of(999L, 327_680L, 5_000_000L, 18_000_000_000L).map(MemoryPlan::text))
                .containsExactly("1.0 kB", "327.7 kB", "5.0 MB", "18.0 GB");
    }

    private static MemoryPlan plan(
            IdeficsConfig config, Settings settings, List<List<String>> placements, long available) {
        return ledger(available).plan(config == SMALL ? "9b" : "80b", config, settings, placements);
    }

    private static MemoryLedger ledger(long available) {
        return new MemoryLedger(device -> Optional.of(new DeviceMemory(available + 6 * GB, 6 * GB)));
    }

    private static Part part(MemoryPlan plan) {
        return plan.replicas().get(0).parts().get(0);
    }

    private static Settings settings(Quantization quantization) {
        return settings(ComputeType.BFLOAT16, quantization, WeightLayout.PACKED, null, null, null);
    }

    private static Settings withCaches(Long keyValueBytes, Long imageBytes, Long latentBytes) {
        return settings(
                ComputeType.BFLOAT16, Quantization.NONE, WeightLayout.PACKED, keyValueBytes, imageBytes, latentBytes);
    }

    private static Settings settings(
            ComputeType type,
            Quantization quantization,
            WeightLayout layout,
            Long keyValueBytes,
            Long imageBytes,
            Long latentBytes) {
        return new Settings(
                type,
                type.stored(),
                quantization,
                layout,
                2048,
                16,
                512,
                4,
                16,
                keyValueBytes,
                imageBytes,
                latentBytes);
    }

    private static long float32ParametersOf9b() {
        long float32 = 32 * 2 * 4096 + 4096; // the norms of the decoder
        float32 += 8 * (2 * 4096 + 2 + 2 * 128); // norms, gates and query and key norms of the gated blocks
        float32 += 1280 + 1280 * 3 * 14 * 14 + 257 * 1280 + 2 * 2 * 1280 + 32 * 4 * 1280; // the vision tower
        float32 += 64 * 1280 + 2 * 1280 + 6 * (3 * 2 * 1280); // the resampler
        if (SMALL.perceiverConfig().qkLayerNorms()) {
            float32 += 6 * 2 * 2 * 96;
        }
        return float32;
    }

    private static long bytes(String name, Quantization quantization, long... shape) {
        LoadOptions options = LoadOptions.of(ComputeType.BFLOAT16, "cpu").withQuantization(quantization);
        return WeightPlan.tensor(name, shape, TensorType.BF16, options, MatrixKernels.PLAIN)
                .bytes();
    }
}
