package io.idefics.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StoredZipTest {

    private static final int LOCAL = 0;
    private static final int DATA = 30 + 1 + 4;
    private static final int DIRECTORY = DATA + 5;

    @TempDir
    Path directory;

    @Test
    void members_soundArchive_pointToTheBytes() throws IOException {
        assertThat(members(archive())).containsExactly(Map.entry("m", new StoredZip.Member("m", DATA, 5)));
    }

    @Test
    void members_zip64Archive_takesThe64BitValues() throws IOException {
        assertThat(members(zip64Archive())).containsExactly(Map.entry("m", new StoredZip.Member("m", DATA, 5)));
    }

    @Test
    void members_withComment_areFound() throws IOException {
        ByteBuffer archive = archive();
        ByteBuffer longer = ByteBuffer.allocate(archive.capacity() + 3)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(archive);
        longer.putShort(archive.capacity() - 2, (short) 3);

        assertThat(members(longer)).containsOnlyKeys("m");
    }

    @Test
    void members_contradictions_areRefused() {
        assertRefused("contradicts", zip -> zip.put(LOCAL + 30, (byte) 'x'));
        assertRefused("contradicts", zip -> zip.putInt(LOCAL, 0));
        assertRefused("compressed", zip -> zip.putShort(DIRECTORY + 10, (short) 8));
        assertRefused("encrypted", zip -> zip.putShort(DIRECTORY + 8, (short) 1));
        assertRefused("two different sizes", zip -> zip.putInt(DIRECTORY + 20, 4));
        assertRefused("another part of the archive", zip -> zip.putInt(DIRECTORY + 20, 6)
                .putInt(DIRECTORY + 24, 6));
        assertRefused("lie outside the file", zip -> zip.putInt(DIRECTORY + 42, 1_000_000));
        assertRefused("64-bit sizes", zip -> zip.putInt(DIRECTORY + 24, -1));
        assertRefused("does not lie where", zip -> zip.putInt(zip.capacity() - 6, DIRECTORY + 1));
        assertRefused("announces 2 members", zip -> zip.putShort(zip.capacity() - 12, (short) 2));
        assertRefused("directory is missing", zip -> zip.putInt(zip.capacity() - 22, 0));
        assertRefused("damaged", zip -> zip.putInt(DIRECTORY, 0));
        assertRefused("damaged", zip -> zip.putShort(DIRECTORY + 28, (short) 100));
    }

    @Test
    void members_randomDamage_areReadOrRefusedButNeverBreak() throws IOException {
        int refused = 0;
        for (int seed = 0; seed < 2_000; seed++) {
            Random random = new Random(seed);
            ByteBuffer zip = seed % 2 == 0 ? archive() : zip64Archive();
            for (int i = 0; i <= random.nextInt(3); i++) {
                zip.put(random.nextInt(zip.capacity()), (byte) random.nextInt(256));
            }
            try {
                members(zip);
            } catch (CheckpointException e) {
                refused++;
            }
        }
        assertThat(refused).isBetween(500, 1_999);
    }

    private void assertRefused(String reason, Consumer<ByteBuffer> damage) {
        ByteBuffer zip = archive();
        damage.accept(zip);
        assertThatThrownBy(() -> members(zip))
                .isExactlyInstanceOf(CheckpointException.class)
                .hasMessageContainingAll("archive.bin", reason);
    }

    private Map<String, StoredZip.Member> members(ByteBuffer archive) throws IOException {
        Path path = Files.write(directory.resolve("archive.bin"), archive.array());
        try (MappedFile file = MappedFile.open(path)) {
            return StoredZip.members(file);
        }
    }

    /** One member "m" of the bytes "hello", with four bytes of extra field before them. */
    private static ByteBuffer archive() {
        ByteBuffer zip = zip(DIRECTORY + 46 + 1 + 22);
        local(zip);
        member(zip, 5, 0, 0);
        return end(zip, 1, 47, DIRECTORY).flip();
    }

    private static ByteBuffer zip64Archive() {
        int directoryLength = 46 + 1 + 4 + 24;
        int end64 = DIRECTORY + directoryLength;
        ByteBuffer zip = zip(end64 + 56 + 20 + 22);
        local(zip);
        member(zip, -1, -1, 28);
        zip.putShort((short) 1).putShort((short) 24).putLong(5).putLong(5).putLong(LOCAL);
        zip.putInt(0x06064b50).putLong(44).putShort((short) 45).putShort((short) 45);
        zip.putInt(0).putInt(0).putLong(1).putLong(1).putLong(directoryLength).putLong(DIRECTORY);
        zip.putInt(0x07064b50).putInt(0).putLong(end64).putInt(1);
        return end(zip, -1, -1, -1).flip();
    }

    private static ByteBuffer zip(int length) {
        return ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static void local(ByteBuffer zip) {
        zip.putInt(0x04034b50)
                .put(new byte[14])
                .putInt(5)
                .putInt(5)
                .putShort((short) 1)
                .putShort((short) 4);
        zip.put((byte) 'm').put(new byte[4]).put("hello".getBytes(StandardCharsets.US_ASCII));
    }

    private static void member(ByteBuffer zip, int size, int local, int extra) {
        zip.putInt(0x02014b50).put(new byte[16]).putInt(size).putInt(size).putShort((short) 1);
        zip.putShort((short) extra).put(new byte[10]).putInt(local).put((byte) 'm');
    }

    private static ByteBuffer end(ByteBuffer zip, int members, int length, int position) {
        zip.putInt(0x06054b50).putInt(0).putShort((short) members).putShort((short) members);
        return zip.putInt(length).putInt(position).putShort((short) 0);
    }
}
