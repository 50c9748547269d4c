package io.idefics.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Pickles here are written one character a byte, except that U begins a short text. */
class TensorUnpicklerTest {

    private static final String STORAGE = "(U\u0007storagectorch\nFloatStorage\nU\u00010U\u0003cpuK\u0006tQ";

    @Test
    void read_oneTensor_givesItsView() {
        Map<String, PickledTensor> tensors = read(dict(tensor(0, "K\u0002K\u0003", "K\u0003K\u0001")));

        PickledTensor tensor = tensors.get("w");
        assertThat(tensors).containsOnlyKeys("w");
        assertThat(tensor.shape()).containsExactly(2, 3);
        assertThat(tensor.strides()).containsExactly(3, 1);
        assertThat(tensor.storage()).isEqualTo(new PickledTensor.Storage(TensorType.F32, "0", 6));
        assertThat(tensor.contiguous()).isTrue();
    }

    @Test
    void read_tensorSizeAndParameter_areTransparent() {
        String size = "ctorch\nSize\nK\u0002K\u0003\u0086\u0085R";
        String tensor = "ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + "K\u0000" + size + "K\u0003K\u0001\u0086"
                + "\u0089}tR";
        String parameter = "ctorch._utils\n_rebuild_parameter\n(" + tensor + "\u0088}tR";

        assertThat(read(dict(parameter)).get("w").shape()).containsExactly(2, 3);
    }

    @ParameterizedTest
    @CsvSource({
        "2, 2, 3, 1, 1, 'a view that ends in its storage is fine: 1+3+1', true",
        "2, 2, 3, 1, 2, last element is 6, false",
        "2, 2, 5, 1, 0, last element is 6, false",
        "7, 1, 0, 1, 0, more elements than the storage, false",
        "0, 9, 9, 1, 0, nothing is viewed, true"
    })
    void read_viewOfSixElements_mustLieInside(
            int rows, int columns, int rowStride, int columnStride, int offset, String why, boolean fine) {
        String pickle = dict(tensor(
                offset, "K" + (char) rows + "K" + (char) columns, "K" + (char) rowStride + "K" + (char) columnStride));

        if (fine) {
            assertThat(read(pickle)).as(why).containsKey("w");
        } else {
            assertThatThrownBy(() -> read(pickle))
                    .as(why)
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining("tensor \"w\" reaches");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "}. .|something is left",
                "}}.|something is left",
                "}|ends in the middle",
                ".|lacks its operands",
                "}h\u0005.|memo entry 5",
                "}K\u0001K\u0002s.|no string",
                "}U\u0001aU\u0001bs.|value of \"a\" is not a tensor",
                "}(NU\u0001au.|no string",
                "}(U\u0001aNU\u0001aNu.|appears twice",
                "}(U\u0001au.|has no value",
                "}u.|lacks its mark",
                "\u0080\u0006}.|protocol 6",
                "U\u0020abc|32 bytes is announced where 3 are left",
                "U\u0001a.|no dict",
                "ccollections/OrderedDict/K\u0001\u0085R.|has 1 parts",
                "(U\u0001xtQ.|has 1 parts",
                "\u008a@|integer of 64 bytes",
                "(ios/mkdir/.|0x69 (INST)",
                "cos/system/.|\"os.system\""
            })
    void read_pickleThatIsNoStateDict_isRefusedWithTheReason(String pickle, String reason) {
        assertThatThrownBy(() -> read(pickle.replace('/', '\n')))
                .isExactlyInstanceOf(CheckpointException.class)
                .hasMessageContainingAll("file.bin", reason);
    }

    @Test
    void read_endlessOpcodes_stopAtTheLimit() {
        assertThatThrownBy(() -> read("(".repeat(1_100_000)))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("more than 1000000 opcodes");
    }

    @Test
    void read_randomDamage_isReadOrRefusedButNeverBreaks() {
        byte[] sound = bytes(dict(tensor(0, "K\u0002K\u0003", "K\u0003K\u0001")));
        int refused = 0;
        for (int seed = 0; seed < 20_000; seed++) {
            Random random = new Random(seed);
            byte[] damaged = sound.clone();
            for (int i = 0; i <= random.nextInt(3); i++) {
                damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
            }
            try {
                TensorUnpickler.read("seed " + seed, damaged);
            } catch (CheckpointException e) {
                refused++;
            }
        }
        assertThat(refused).isBetween(10_000, 20_000);
    }

    private static String dict(String tensor) {
        return "\u0080\u0002}U\u0001w" + tensor + "s.";
    }

    private static String tensor(int offset, String size, String stride) {
        return "ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + "K" + (char) offset + size + "\u0086" + stride
                + "\u0086\u0089}tR";
    }

    private static Map<String, PickledTensor> read(String pickle) {
        return TensorUnpickler.read("file.bin", bytes(pickle));
    }

    /** The characters as bytes, with U as the opcode SHORT_BINUNICODE, which is no printable character. */
    private static byte[] bytes(String pickle) {
        return pickle.replace('U', '\u008c').getBytes(StandardCharsets.ISO_8859_1);
    }
}
