package io.idefics.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.checkpoint.WeightFile.TensorSpec;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFileTest {

    @TempDir
    Path directory;

    @Test
    void tensor_bfloat16_isDirectLittleEndianView() {
        try (SafetensorsFile file = SafetensorsFile.open(TestModels.weights("ok-bf16.safetensors"))) {
            StoredTensor tensor = file.tensor(file.specs().keySet().iterator().next());

            assertThat(tensor.type()).isEqualTo(TensorType.BF16);
            assertThat(tensor.shape()).containsExactly(2);
            assertThat(tensor.data().isDirect()).isTrue();
            assertThat(tensor.data().order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
            assertThat(tensor.data().remaining()).isEqualTo(4);
            assertThat(tensor.data().getShort(0)).isEqualTo((short) 0x3f80);
            assertThat(tensor.data().getShort(2)).isEqualTo((short) 0xc000);
        }
    }

    @Test
    void tensor_afterClose_staysReadable() {
        SafetensorsFile file = SafetensorsFile.open(TestModels.weights("ok-bf16.safetensors"));
        StoredTensor tensor = file.tensor(file.specs().keySet().iterator().next());

        file.close();

        assertThat(tensor.data().getShort(0)).isEqualTo((short) 0x3f80);
    }

    @Test
    void tensor_unalignedInFile_isCopiedToAnAlignedBuffer() throws IOException {
        String header = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                + "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]}}";
        ByteBuffer data = ByteBuffer.allocate(9)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put((byte) 7)
                .putFloat(1.5f)
                .putFloat(-2f);

        try (SafetensorsFile file =
                SafetensorsFile.open(file(header + " ".repeat((8 - header.length() % 8) % 8), data))) {
            ByteBuffer values = file.tensor("b").data();

            assertThat(values.isDirect()).isTrue();
            assertThat(values.alignmentOffset(0, 4)).isZero();
            assertThat(values.order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
            assertThat(values.remaining()).isEqualTo(8);
            assertThat(values.getFloat(0)).isEqualTo(1.5f);
            assertThat(values.getFloat(4)).isEqualTo(-2f);
        }
    }

    @Test
    void tensor_of2GiB_isRefusedByName() throws IOException {
        String header = "{\"huge\":{\"dtype\":\"U8\",\"shape\":[2147483648],\"data_offsets\":[0,2147483648]}}";
        Path path = file(header, ByteBuffer.allocate(0));
        try (RandomAccessFile sparse = new RandomAccessFile(path.toFile(), "rw")) {
            sparse.setLength(8 + header.length() + (1L << 31));
        }

        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThatThrownBy(() -> file.tensor("huge"))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContainingAll("tensor \"huge\"", "2147483648", "2147483647");
        }
    }

    @Test
    void tensor_fileCutSinceOpened_isRefused() throws IOException {
        Path path = Files.copy(TestModels.golden("tiny-f32").resolve("model.safetensors"), directory.resolve("cut.st"));
        try (SafetensorsFile file = SafetensorsFile.open(path);
                RandomAccessFile cut = new RandomAccessFile(path.toFile(), "rw")) {
            cut.setLength(100);

            assertThatThrownBy(() -> file.tensor("lm_head.weight"))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContainingAll("cut.st", "lm_head.weight");
        }
    }

    @Test
    void tensor_unknownName_isRefusedByName() {
        try (SafetensorsFile file = SafetensorsFile.open(TestModels.weights("ok.safetensors"))) {
            assertThatThrownBy(() -> file.tensor("nothing"))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContainingAll("ok.safetensors", "\"nothing\"");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                " {}",
                "{} {}",
                "{\"a\":5}",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[0]}}",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"x\":1}}",
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"shape\":[0],\"data_offsets\":[0,0]}}",
                "{\"__metadata__\":{\"a\":{}}}"
            })
    void open_headerOutsideTheFormat_isRefused(String header) throws IOException {
        Path path = file(header, ByteBuffer.allocate(0));

        assertThatThrownBy(() -> SafetensorsFile.open(path))
                .isExactlyInstanceOf(CheckpointException.class)
                .hasMessageContaining("file.safetensors");
    }

    @Test
    void open_namesOfOtherFormats_saysWhatTheFileIs() throws IOException {
        assertThatThrownBy(() -> SafetensorsFile.open(TestModels.weights("lfs-pointer.safetensors")))
                .hasMessageContaining("git-lfs pointer");
        assertThatThrownBy(() -> SafetensorsFile.open(TestModels.weights("html-error.safetensors")))
                .hasMessageContaining("HTML");
        Path zip = Files.copy(TestModels.weights("ok-state-dict.bin"), directory.resolve("a.safetensors"));
        assertThatThrownBy(() -> SafetensorsFile.open(zip)).hasMessageContaining("zip archive");
    }

    @Test
    void open_writtenTensors_readsThemBack() throws IOException {
        Path path = directory.resolve("zeros.safetensors");
        SafetensorsWriter.writeZeros(path, Map.of("a", new TensorSpec(TensorType.I64, new long[] {2, 3})));

        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.specs()).containsOnlyKeys("a");
            assertThat(file.tensor("a").shape()).containsExactly(2, 3);
            assertThat(file.tensor("a").data().remaining()).isEqualTo(48);
        }
    }

    private Path file(String header, ByteBuffer data) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        byte[] bytes = ByteBuffer.allocate(8 + json.length + data.capacity())
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(json.length)
                .put(json)
                .put(data.array())
                .array();
        return Files.write(directory.resolve("file.safetensors"), bytes);
    }
}
