package io.idefics.model;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/**
 * Writes objects of a TorchScript program as libtorch's unpickler reads them: protocol 2, an object as its class, an
 * empty tuple, {@code NEWOBJ}, a dict of its attributes and {@code BUILD}.
 */
final class ModulePickle {

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final DataOutputStream out = new DataOutputStream(bytes);

    ModulePickle() {
        write(0x80, 2);
    }

    ModulePickle beginObject(String module, String name) {
        write('c');
        ascii(module + "\n" + name + "\n");
        write(')', 0x81, '}', '(');
        return this;
    }

    ModulePickle endObject() {
        write('u', 'b');
        return this;
    }

    ModulePickle key(String name) {
        return value(name);
    }

    ModulePickle none() {
        write('N');
        return this;
    }

    /** Writes a Boolean, Integer, Double or String. */
    ModulePickle value(Object value) {
        try {
            if (value instanceof Boolean b) {
                write(b ? 0x88 : 0x89);
            } else if (value instanceof Integer i) {
                write('J');
                out.writeInt(Integer.reverseBytes(i));
            } else if (value instanceof Double d) {
                write('G');
                out.writeDouble(d);
            } else if (value instanceof String s) {
                byte[] utf8 = s.getBytes(StandardCharsets.UTF_8);
                write('X');
                out.writeInt(Integer.reverseBytes(utf8.length));
                out.write(utf8);
            } else {
                throw new IllegalArgumentException("No pickle for " + value.getClass());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return this;
    }

    byte[] toByteArray() {
        write('.');
        return bytes.toByteArray();
    }

    private void ascii(String text) {
        bytes.writeBytes(text.getBytes(StandardCharsets.US_ASCII));
    }

    private void write(int... opcodes) {
        for (int opcode : opcodes) {
            bytes.write(opcode);
        }
    }
}
