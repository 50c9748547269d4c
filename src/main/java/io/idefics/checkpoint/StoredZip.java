package io.idefics.checkpoint;

import static io.idefics.checkpoint.CheckpointException.quote;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The directory of a zip archive whose members are stored without compression, so that their bytes can be mapped.
 * Nothing is ever extracted. Refused are duplicate names, compressed or encrypted members, members that overlap or
 * leave the archive, and local headers that contradict the directory.
 *
 * @see <a href="https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT">the format, with zip64</a>
 */
final class StoredZip {

    /** A member whose bytes lie at position..position + length of the file. */
    record Member(String name, long position, long length) {

        long end() {
            return position + length;
        }
    }

    /** Place of the central directory. */
    private record Directory(long position, long length, long members) {}

    private static final int END_BYTES = 22;
    private static final int END_SIGNATURE = 0x06054b50;
    private static final int END64_BYTES = 56;
    private static final int END64_SIGNATURE = 0x06064b50;
    private static final int LOCATOR_BYTES = 20;
    private static final int LOCATOR_SIGNATURE = 0x07064b50;
    private static final int MEMBER_BYTES = 46;
    private static final int MEMBER_SIGNATURE = 0x02014b50;
    private static final int LOCAL_BYTES = 30;
    private static final int LOCAL_SIGNATURE = 0x04034b50;
    private static final int ZIP64_EXTRA = 1;
    private static final int ENCRYPTED = 1;
    private static final int COMMENT_LIMIT = 0xffff;
    private static final long DIRECTORY_LIMIT = 16_000_000;

    private final MappedFile file;
    private final Map<String, Member> members = new LinkedHashMap<>();

    private StoredZip(MappedFile file) {
        this.file = file;
    }

    /**
     * Reads the members of an archive, by name.
     *
     * @throws CheckpointException naming the file and what is wrong with it
     */
    static Map<String, Member> members(MappedFile file) {
        StoredZip zip = new StoredZip(file);
        Directory directory = zip.findDirectory();
        if (directory.length() > DIRECTORY_LIMIT) {
            throw zip.fault("its directory has " + directory.length() + " bytes, the limit is " + DIRECTORY_LIMIT);
        }
        ByteBuffer bytes = file.read(directory.position(), directory.length());
        while (bytes.hasRemaining()) {
            Member member = zip.readMember(bytes);
            if (zip.members.put(member.name(), member) != null) {
                throw zip.fault("two members are named " + quote(member.name()));
            }
        }
        if (zip.members.size() != directory.members()) {
            throw zip.fault(
                    "its directory announces " + directory.members() + " members but lists " + zip.members.size());
        }
        zip.checkOverlap(directory.position());
        return zip.members;
    }

    private Directory findDirectory() {
        long tailStart = Math.max(0, file.size() - END_BYTES - COMMENT_LIMIT);
        ByteBuffer tail = file.read(tailStart, file.size() - tailStart);
        for (int at = tail.limit() - END_BYTES; at >= 0; at--) {
            boolean found = tail.getInt(at) == END_SIGNATURE
                    && at + END_BYTES + u16(tail, at + 20) == tail.limit(); // its comment reaches the end of the file
            if (found) {
                return directory(tail.slice(at, END_BYTES).order(ByteOrder.LITTLE_ENDIAN), tailStart + at);
            }
        }
        throw fault("its directory is missing (was the download cut?)");
    }

    private Directory directory(ByteBuffer end, long endPosition) {
        Directory directory = new Directory(u32(end, 16), u32(end, 12), u16(end, 10));
        long directoryEnd = endPosition;
        long locatorPosition = endPosition - LOCATOR_BYTES;
        if (locatorPosition >= 0) {
            ByteBuffer locator = file.read(locatorPosition, LOCATOR_BYTES);
            if (locator.getInt(0) == LOCATOR_SIGNATURE) {
                directoryEnd = locator.getLong(8);
                ByteBuffer end64 = file.read(directoryEnd, END64_BYTES);
                if (end64.getInt(0) != END64_SIGNATURE || directoryEnd + END64_BYTES > locatorPosition) {
                    throw fault("its zip64 directory record is missing");
                }
                directory = new Directory(end64.getLong(48), end64.getLong(40), end64.getLong(32));
            }
        }
        if (directory.position() < 0 || directory.length() != directoryEnd - directory.position()) {
            throw fault("its directory does not lie where the archive says");
        }
        return directory;
    }

    private Member readMember(ByteBuffer directory) {
        int start = directory.position();
        if (directory.remaining() < MEMBER_BYTES || directory.getInt(start) != MEMBER_SIGNATURE) {
            throw fault("its directory is damaged");
        }
        int nameLength = u16(directory, start + 28);
        int extraLength = u16(directory, start + 30);
        int length = MEMBER_BYTES + nameLength + extraLength + u16(directory, start + 32);
        if (length > directory.remaining()) {
            throw fault("its directory is damaged");
        }
        String name = name(directory, start + MEMBER_BYTES, nameLength);
        if ((u16(directory, start + 8) & ENCRYPTED) != 0 || u16(directory, start + 10) != 0) {
            throw fault("member " + quote(name) + " is compressed or encrypted, torch stores members as they are");
        }
        ByteBuffer extra =
                directory.slice(start + MEMBER_BYTES + nameLength, extraLength).order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer zip64 = zip64(extra, name);
        long size = wide(u32(directory, start + 24), zip64, name);
        long storedSize = wide(u32(directory, start + 20), zip64, name);
        long local = wide(u32(directory, start + 42), zip64, name);
        if (size != storedSize) {
            throw fault("member " + quote(name) + " has two different sizes");
        }
        directory.position(start + length);
        return new Member(name, dataPosition(name, local), size);
    }

    /** Where the bytes of a member begin: behind its local header, which must repeat the name. */
    private long dataPosition(String name, long local) {
        ByteBuffer header = file.read(local, LOCAL_BYTES);
        int nameLength = u16(header, 26);
        boolean agrees = header.getInt(0) == LOCAL_SIGNATURE
                && u16(header, 8) == 0
                && name(file.read(local + LOCAL_BYTES, nameLength), 0, nameLength)
                        .equals(name);
        if (!agrees) {
            throw fault("member " + quote(name) + " has a local header that contradicts the directory");
        }
        return local + LOCAL_BYTES + nameLength + u16(header, 28);
    }

    /** The 64-bit values of a member; empty when it needs none. */
    private ByteBuffer zip64(ByteBuffer extra, String name) {
        while (extra.remaining() >= 4) {
            int id = u16(extra, extra.position());
            int length = u16(extra, extra.position() + 2);
            extra.position(extra.position() + 4);
            if (length > extra.remaining()) {
                throw fault("member " + quote(name) + " has a damaged extra field");
            }
            if (id == ZIP64_EXTRA) {
                return extra.slice(extra.position(), length).order(ByteOrder.LITTLE_ENDIAN);
            }
            extra.position(extra.position() + length);
        }
        return ByteBuffer.allocate(0);
    }

    /** A 32-bit value, or the next 64-bit one where all its bits are set. */
    private long wide(long narrow, ByteBuffer zip64, String name) {
        if (narrow != 0xffffffffL) {
            return narrow;
        }
        if (zip64.remaining() < Long.BYTES || zip64.getLong(zip64.position()) < 0) {
            throw fault("member " + quote(name) + " lacks its 64-bit sizes");
        }
        return zip64.getLong();
    }

    private void checkOverlap(long directoryPosition) {
        List<Member> ordered = new ArrayList<>(members.values());
        ordered.sort(Comparator.comparingLong(Member::position));
        long end = 0;
        for (Member member : ordered) {
            if (member.position() < end || member.length() > directoryPosition - member.position()) {
                throw fault("member " + quote(member.name()) + " reaches into another part of the archive");
            }
            end = member.end();
        }
    }

    private CheckpointException fault(String reason) {
        return new CheckpointException(file.path() + ": not a usable zip archive: " + reason);
    }

    private static String name(ByteBuffer bytes, int at, int length) {
        byte[] name = new byte[length];
        bytes.get(at, name);
        return new String(name, StandardCharsets.UTF_8);
    }

    private static int u16(ByteBuffer bytes, int at) {
        return Short.toUnsignedInt(bytes.getShort(at));
    }

    private static long u32(ByteBuffer bytes, int at) {
        return Integer.toUnsignedLong(bytes.getInt(at));
    }
}
