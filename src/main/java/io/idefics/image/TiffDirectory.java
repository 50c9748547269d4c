package io.idefics.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;

/**
 * The first directory of a TIFF or BigTIFF file (TIFF 6.0, section 2). Values stay in the file until they are asked for;
 * no other directory is ever visited.
 */
final class TiffDirectory {

    private static final int BIG_MAGIC = 43;

    /** A field by the position of its values. */
    private record Field(int type, long count, long position) {}

    private final ByteBuffer buffer;
    private final Map<Integer, Field> fields = new HashMap<>();

    /** @throws IndexOutOfBoundsException if the file ends too early */
    TiffDirectory(byte[] bytes) throws MalformedImageException {
        this.buffer = ByteBuffer.wrap(bytes).order(bytes[0] == 'I' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
        boolean big = buffer.getShort(2) == BIG_MAGIC;
        if (big && (buffer.getShort(4) != 8 || buffer.getShort(6) != 0)) {
            throw new MalformedImageException("is corrupt");
        }
        long directory = big ? buffer.getLong(8) : Integer.toUnsignedLong(buffer.getInt(4));
        int start = position(directory, 8);
        long count = big ? buffer.getLong(start) : buffer.getShort(start) & 0xffff;
        int entryBytes = big ? 20 : 12;
        int countBytes = big ? 8 : 2;
        if (count < 0 || count > (bytes.length - start - countBytes) / entryBytes) {
            throw new MalformedImageException("is truncated");
        }
        PartCount entries = new PartCount("fields");
        for (int i = 0; i < count; i++) {
            entries.next();
            int entry = start + countBytes + entryBytes * i;
            int type = buffer.getShort(entry + 2) & 0xffff;
            long values = big ? buffer.getLong(entry + 4) : Integer.toUnsignedLong(buffer.getInt(entry + 4));
            int inline = entry + (big ? 12 : 8);
            long room = big ? 8 : 4;
            boolean isInline = values >= 0 && values <= room / size(type);
            long elsewhere = big ? buffer.getLong(inline) : Integer.toUnsignedLong(buffer.getInt(inline));
            fields.put(buffer.getShort(entry) & 0xffff, new Field(type, values, isInline ? inline : elsewhere));
        }
    }

    ByteOrder order() {
        return buffer.order();
    }

    boolean has(int tag) {
        return fields.containsKey(tag);
    }

    /** How many values a field has; 0 if it is not there. */
    long count(int tag) {
        Field field = fields.get(tag);
        return field == null ? 0 : field.count();
    }

    /** The first value of a field. */
    long number(int tag, long otherwise) throws MalformedImageException {
        return count(tag) > 0 ? number(tag, otherwise, 0) : otherwise;
    }

    /** A value of a field, or another if there is no such field. */
    long number(int tag, long otherwise, long index) throws MalformedImageException {
        Field field = fields.get(tag);
        if (field == null) {
            return otherwise;
        }
        if (index >= field.count()) {
            throw new MalformedImageException("is corrupt");
        }
        int size = size(field.type());
        int at = position(field.position() + size * index, size);
        return switch (field.type()) {
            case 1 -> buffer.get(at) & 0xff;
            case 3 -> buffer.getShort(at) & 0xffff;
            case 4 -> Integer.toUnsignedLong(buffer.getInt(at));
            case 16 -> buffer.getLong(at);
            default -> throw new MalformedImageException("is corrupt");
        };
    }

    /** The bytes of a field without a type, or none. */
    byte[] bytes(int tag) throws MalformedImageException {
        Field field = fields.get(tag);
        if (field == null) {
            return new byte[0];
        }
        if (size(field.type()) != 1 || field.count() < 0 || field.count() > buffer.limit()) {
            throw new MalformedImageException("is corrupt");
        }
        byte[] bytes = new byte[(int) field.count()];
        buffer.get(position(field.position(), bytes.length), bytes);
        return bytes;
    }

    private int position(long position, int length) throws MalformedImageException {
        if (position < 0 || position > buffer.limit() - length) {
            throw new MalformedImageException("is truncated");
        }
        return (int) position;
    }

    private static int size(int type) {
        return switch (type) {
            case 3, 8 -> 2;
            case 4, 9, 11, 13 -> 4;
            case 5, 10, 12, 16, 17, 18 -> 8;
            default -> 1;
        };
    }
}
