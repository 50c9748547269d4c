package io.idefics.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.checkpoint.IdeficsConfig;
import io.idefics.checkpoint.IdeficsParameters;
import io.idefics.checkpoint.TestModels;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PlacementTest {

    private static final IdeficsConfig LARGE = TestModels.published("80b");
    private static final IdeficsConfig TINY =
            IdeficsConfig.read(TestModels.golden("tiny-f32").resolve("config.json"));

    @Test
    void split_oneDevice_hasAllLayers() {
        assertThat(Placement.split(LARGE, 1)).hasSize(80).containsOnly(0);
    }

    @ParameterizedTest
    @CsvSource({"80b, 2", "80b, 3", "80b, 4", "80b, 8", "9b, 2", "9b, 4"})
    void split_publishedModel_isBalancedToTwoLayers(String size, int devices) {
        IdeficsConfig config = TestModels.published(size);
        int[] deviceOfLayer = Placement.split(config, devices);

        long[] parameters = parameters(config, deviceOfLayer, devices);

        long layer = config.hiddenSize() * (4L * config.hiddenSize() + 3L * config.intermediateSize());
        long fair = IdeficsParameters.count(config) / devices;
        assertThat(Arrays.stream(parameters).max().orElseThrow()).isBetween(fair, fair + 2 * layer);
        assertThat(deviceOfLayer).isSorted();
        assertThat(Arrays.stream(deviceOfLayer).distinct().count()).isEqualTo(devices);
    }

    @Test
    void split_everyWay_isNoBetterThanTheChosenOne() {
        int layers = TINY.numHiddenLayers();
        assertThat(layers).isEqualTo(4);
        Random random = new Random(5);
        for (int round = 0; round < 200; round++) {
            long[] weight = random.longs(10, 1, 100).toArray();
            Placement.TensorBytes bytes = (name, shape) -> weight[Math.floorMod(name.hashCode(), 10)];

            int[] chosen = Placement.split(TINY, 3, bytes);

            long best = Long.MAX_VALUE;
            for (int first = 1; first <= layers - 2; first++) {
                for (int second = first + 1; second <= layers - 1; second++) {
                    int[] other = new int[layers];
                    Arrays.fill(other, first, second, 1);
                    Arrays.fill(other, second, layers, 2);
                    best = Math.min(best, heaviest(other, bytes));
                }
            }
            assertThat(heaviest(chosen, bytes)).as("round %d of seed 5", round).isEqualTo(best);
        }
    }

    @Test
    void split_asManyDevicesAsLayers_givesOneEach() {
        assertThat(Placement.split(TINY, 4)).containsExactly(0, 1, 2, 3);
    }

    @Test
    void split_moreDevicesThanLayers_isRefused() {
        assertThatThrownBy(() -> Placement.split(TINY, 5))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("The model has 4 layers; they cannot be split over 5 devices");
    }

    private static long heaviest(int[] deviceOfLayer, Placement.TensorBytes bytes) {
        long[] sums = new long[3];
        IdeficsParameters.expected(TINY)
                .forEach((name, shape) -> sums[device(TINY, name, deviceOfLayer, 3)] += bytes.of(name, shape));
        return Arrays.stream(sums).max().orElseThrow();
    }

    private static long[] parameters(IdeficsConfig config, int[] deviceOfLayer, int devices) {
        long[] sums = new long[devices];
        IdeficsParameters.expected(config)
                .forEach((name, shape) -> sums[device(config, name, deviceOfLayer, devices)] +=
                        Arrays.stream(shape).reduce(1, Math::multiplyExact));
        return sums;
    }

    /** Written anew here, by the words of the contract. */
    private static int device(IdeficsConfig config, String name, int[] deviceOfLayer, int devices) {
        if (name.matches("model\\.layers\\..*")) {
            return deviceOfLayer[Integer.parseInt(name.split("\\.")[2])];
        } else if (name.matches("model\\.gated_cross_attn_layers\\..*")) {
            return deviceOfLayer[Integer.parseInt(name.split("\\.")[2]) * config.crossLayerInterval()];
        }
        return name.startsWith("lm_head") || name.equals("model.norm.weight") ? devices - 1 : 0;
    }
}
