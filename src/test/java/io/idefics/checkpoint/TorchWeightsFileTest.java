package io.idefics.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TorchWeightsFileTest {

    @ParameterizedTest
    @ValueSource(strings = {"views.bin", "protocol4.bin"})
    void tensor_anyStridedView_hasItsRowMajorValues(String name) {
        try (TorchWeightsFile file = TorchWeightsFile.open(TestModels.file(name))) {
            assertThat(file.specs().keySet())
                    .containsExactly(
                            "a",
                            "transposed",
                            "column",
                            "tail",
                            "scalar",
                            "empty",
                            "shared",
                            "parameter",
                            "flags",
                            "ids");
            assertFloats(file.tensor("a"), new long[] {2, 3}, 0, 1, 2, 3, 4, 5);
            assertFloats(file.tensor("transposed"), new long[] {3, 2}, 0, 3, 1, 4, 2, 5);
            assertFloats(file.tensor("column"), new long[] {2}, 1, 4);
            assertFloats(file.tensor("tail"), new long[] {2}, 4, 5);
            assertFloats(file.tensor("shared"), new long[] {2, 3}, 0, 1, 2, 3, 4, 5);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"views.bin", "protocol4.bin"})
    void tensor_otherTypes_keepTypeAndBytes(String name) {
        try (TorchWeightsFile file = TorchWeightsFile.open(TestModels.file(name))) {
            StoredTensor scalar = file.tensor("scalar");
            assertThat(scalar.type()).isEqualTo(TensorType.F64);
            assertThat(scalar.shape()).isEmpty();
            assertThat(scalar.data().getDouble(0)).isEqualTo(2.5);
            StoredTensor empty = file.tensor("empty");
            assertThat(empty.type()).isEqualTo(TensorType.F16);
            assertThat(empty.shape()).containsExactly(0, 4);
            assertThat(empty.data().remaining()).isZero();
            StoredTensor parameter = file.tensor("parameter");
            assertThat(parameter.type()).isEqualTo(TensorType.BF16);
            assertThat(parameter.data().getShort(2)).isEqualTo((short) 0xc000);
            StoredTensor flags = file.tensor("flags");
            assertThat(flags.type()).isEqualTo(TensorType.BOOL);
            assertThat(new byte[] {
                        flags.data().get(0), flags.data().get(1), flags.data().get(2)
                    })
                    .containsExactly(1, 0, 1);
            StoredTensor ids = file.tensor("ids");
            assertThat(ids.type()).isEqualTo(TensorType.I64);
            assertThat(ids.data().getLong(0)).isEqualTo(-1);
            assertThat(ids.data().getLong(8)).isEqualTo(1L << 40);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "expanded.bin, tensor \"a\" reaches element 0",
        "not-a-tensor.bin, the value of \"step\" is not a tensor",
        "big-endian.bin, byte order is \"big\"",
        "legacy.bin, convert it to safetensors"
    })
    void open_unusableFile_saysWhy(String name, String reason) {
        assertThatThrownBy(() -> TorchWeightsFile.open(TestModels.file(name)))
                .isExactlyInstanceOf(CheckpointException.class)
                .hasMessageContainingAll(name, reason);
    }

    @ParameterizedTest
    @CsvSource({
        "pickle-os-mkdir.bin, os.mkdir",
        "pickle-stack-global.bin, mkdir",
        "pickle-dotted-global.bin, serialization.os.mkdir",
        "pickle-builtins-eval.bin, builtins.eval",
        "pickle-newobj.bin, os.mkdir",
        "pickle-ext.bin, EXT1",
        "pickle-binunicode8.bin, 9223372036854775807",
        "zip-bomb-200MB.bin, compressed",
        "zip-two-data-pkl.bin, archive/data.pkl",
        "zip-slip.bin, lies outside the folder",
        "raw-pickle.bin, convert it to safetensors",
        "safetensors-named-bin.bin, a safetensors file"
    })
    void open_hostileFile_namesWhatIsRefused(String name, String reason) {
        assertThatThrownBy(() -> TorchWeightsFile.open(TestModels.weights(name)))
                .isExactlyInstanceOf(CheckpointException.class)
                .hasMessageContainingAll(name, reason);
    }

    private static void assertFloats(StoredTensor tensor, long[] shape, float... expected) {
        assertThat(tensor.type()).isEqualTo(TensorType.F32);
        assertThat(tensor.shape()).containsExactly(shape);
        assertThat(tensor.data().isDirect()).isTrue();
        assertThat(tensor.data().order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
        FloatBuffer values = tensor.data().asFloatBuffer();
        float[] actual = new float[values.remaining()];
        values.get(actual);
        assertThat(actual).containsExactly(expected);
    }
}
