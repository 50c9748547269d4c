package io.idefics.checkpoint;

import static io.idefics.checkpoint.CheckpointException.quote;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Reads the pickle of a torch state dict, and nothing else. A pickle is a program for a stack machine that may call
 * any Python function; this machine knows only the opcodes that state dicts need and only the few callables listed in
 * {@link #callable}, which it imitates with plain data. Whatever else appears is refused by name. Work and memory are
 * bounded by the number of opcodes and by the bytes that are really there.
 *
 * @see <a href="https://docs.python.org/3/library/pickletools.html">the opcodes</a>
 */
final class TensorUnpickler {

    private static final int OPCODE_LIMIT = 1_000_000;
    private static final int MAX_PROTOCOL = 5;

    private static final Map<String, TensorType> STORAGES = Map.of(
            "DoubleStorage", TensorType.F64,
            "FloatStorage", TensorType.F32,
            "HalfStorage", TensorType.F16,
            "BFloat16Storage", TensorType.BF16,
            "LongStorage", TensorType.I64,
            "IntStorage", TensorType.I32,
            "ShortStorage", TensorType.I16,
            "CharStorage", TensorType.I8,
            "ByteStorage", TensorType.U8,
            "BoolStorage", TensorType.BOOL);

    /** Opcodes that only programs need; named so that a refusal says what was found. */
    private static final Map<Integer, String> REFUSED = Map.ofEntries(
            Map.entry((int) 'i', "INST"),
            Map.entry((int) 'o', "OBJ"),
            Map.entry((int) 'P', "PERSID"),
            Map.entry((int) 'S', "STRING"),
            Map.entry(0x81, "NEWOBJ"),
            Map.entry(0x82, "EXT1"),
            Map.entry(0x83, "EXT2"),
            Map.entry(0x84, "EXT4"),
            Map.entry(0x92, "NEWOBJ_EX"),
            Map.entry(0x97, "NEXT_BUFFER"));

    /** Values without a natural Java form. */
    private enum Symbol {
        NONE,
        MARK
    }

    /** The imitated callables. */
    private enum Callable {
        ORDERED_DICT,
        SIZE,
        REBUILD_TENSOR,
        REBUILD_PARAMETER
    }

    private final String file;
    private final ByteBuffer pickle;
    private final ArrayList<Object> stack = new ArrayList<>();
    private final Map<Long, Object> memo = new HashMap<>();

    private TensorUnpickler(String file, byte[] pickle) {
        this.file = file;
        this.pickle = ByteBuffer.wrap(pickle).order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * The tensors of a state dict, by name, in its order.
     *
     * @param file what error messages call the pickle
     * @throws CheckpointException when the pickle is damaged, or holds or does anything but name tensors
     */
    static Map<String, PickledTensor> read(String file, byte[] pickle) {
        TensorUnpickler unpickler = new TensorUnpickler(file, pickle);
        try {
            return unpickler.stateDict(unpickler.run());
        } catch (BufferUnderflowException e) {
            throw unpickler.fault("it ends in the middle");
        } catch (IllegalArgumentException e) {
            throw unpickler.fault("tensor " + quote(unpickler.currentName()) + " " + e.getMessage());
        }
    }

    /** The key whose value is being built: the last text on the stack, for its parts have been taken off. */
    private String currentName() {
        for (int i = stack.size() - 1; i >= 0; i--) {
            if (stack.get(i) instanceof String name) {
                return name;
            }
        }
        return "";
    }

    private Map<String, PickledTensor> stateDict(Object root) {
        Map<String, PickledTensor> tensors = new LinkedHashMap<>();
        dict(root).forEach((name, value) -> {
            if (!(value instanceof PickledTensor tensor)) {
                throw fault("the value of " + quote(name) + " is not a tensor");
            }
            tensors.put(name, tensor);
        });
        return tensors;
    }

    private Object run() {
        for (int opcodes = 0; opcodes < OPCODE_LIMIT; opcodes++) {
            int opcode = u8();
            if (opcode == '.') {
                Object root = pop();
                if (!stack.isEmpty() || pickle.hasRemaining()) {
                    throw fault("something is left behind its end");
                }
                return root;
            }
            step(opcode);
        }
        throw fault("it has more than " + OPCODE_LIMIT + " opcodes");
    }

    private void step(int opcode) {
        switch (opcode) {
            case 0x80 -> protocol();
            case 0x95 -> frame();
            case '(' -> stack.add(Symbol.MARK);
            case 'N' -> stack.add(Symbol.NONE);
            case 0x88 -> stack.add(true);
            case 0x89 -> stack.add(false);
            case 'J' -> stack.add((long) pickle.getInt());
            case 'K' -> stack.add((long) u8());
            case 'M' -> stack.add((long) Short.toUnsignedInt(pickle.getShort()));
            case 0x8a -> stack.add(longInteger());
            case 'X' -> stack.add(text(u32()));
            case 0x8c -> stack.add(text(u8()));
            case 0x8d -> stack.add(text(pickle.getLong()));
            case '}' -> stack.add(new LinkedHashMap<String, Object>());
            case ')' -> stack.add(List.of());
            case 't' -> stack.add(List.copyOf(popToMark()));
            case 0x85 -> stack.add(List.copyOf(popLast(1)));
            case 0x86 -> stack.add(List.copyOf(popLast(2)));
            case 0x87 -> stack.add(List.copyOf(popLast(3)));
            case 's' -> setItems(popLast(2));
            case 'u' -> setItems(popToMark());
            case 'q' -> memo.put((long) u8(), top());
            case 'r' -> memo.put(u32(), top());
            case 0x94 -> memo.put((long) memo.size(), top());
            case 'h' -> stack.add(remembered(u8()));
            case 'j' -> stack.add(remembered(u32()));
            case 'c' -> stack.add(callable(line(), line()));
            case 0x93 -> {
                List<Object> names = popLast(2);
                stack.add(callable(as(String.class, "string", names.get(0)), as(String.class, "string", names.get(1))));
            }
            case 'R' -> {
                List<Object> call = popLast(2);
                stack.add(call(call.get(0), tuple(call.get(1))));
            }
            case 'b' -> build();
            case 'Q' -> stack.add(storage(tuple(pop())));
            default -> throw fault("opcode " + opcodeName(opcode) + " is not allowed in weights");
        }
    }

    /** The value that stands for a global name; the whole allow-list. */
    private Object callable(String module, String name) {
        String global = module + "." + name;
        TensorType storage = module.equals("torch") ? STORAGES.get(name) : null;
        if (storage != null) {
            return storage;
        }
        return switch (global) {
            case "collections.OrderedDict" -> Callable.ORDERED_DICT;
            case "torch.Size" -> Callable.SIZE;
            case "torch._utils._rebuild_tensor_v2" -> Callable.REBUILD_TENSOR;
            case "torch._utils._rebuild_parameter" -> Callable.REBUILD_PARAMETER;
            default ->
                throw fault("the global " + quote(global)
                        + " is not allowed in weights; do not load this file elsewhere unless you trust its source");
        };
    }

    private Object call(Object callable, List<?> arguments) {
        return switch (as(Callable.class, "callable", callable)) {
            case ORDERED_DICT -> {
                arity(arguments, 0, 0);
                yield new LinkedHashMap<String, Object>();
            }
            case SIZE -> {
                arity(arguments, 1, 1);
                yield tuple(arguments.get(0));
            }
            case REBUILD_PARAMETER -> { // (tensor, requires_grad, backward_hooks)
                arity(arguments, 3, 3);
                yield as(PickledTensor.class, "tensor", arguments.get(0));
            }
            case REBUILD_TENSOR -> tensor(arguments);
        };
    }

    /** {@code _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks[, metadata])}. */
    private PickledTensor tensor(List<?> arguments) {
        arity(arguments, 6, 7);
        boolean plain = dict(arguments.get(5)).isEmpty()
                && (arguments.size() == 6
                        || arguments.get(6) == Symbol.NONE
                        || dict(arguments.get(6)).isEmpty());
        if (!plain) {
            throw fault("a tensor has hooks or metadata");
        }
        return new PickledTensor(
                as(PickledTensor.Storage.class, "storage", arguments.get(0)),
                as(Long.class, "number", arguments.get(1)),
                numbers(arguments.get(2)),
                numbers(arguments.get(3)));
    }

    /** The persistent id {@code ("storage", type, key, location, elements)}. */
    private PickledTensor.Storage storage(List<?> id) {
        arity(id, 5, 5);
        if (!"storage".equals(id.get(0))) {
            throw fault("a persistent id is not that of a storage");
        }
        return new PickledTensor.Storage(
                as(TensorType.class, "storage type", id.get(1)),
                as(String.class, "string", id.get(2)),
                as(Long.class, "number", id.get(4)));
    }

    /** The attributes of a state dict carry module versions, which mean nothing here: checked and dropped. */
    private void build() {
        List<Object> operands = popLast(2);
        dict(operands.get(1));
        stack.add(dict(operands.get(0)));
    }

    /** Puts key, value pairs into the dict on top; keys are strings, so that no key can make hashing expensive. */
    private void setItems(List<Object> items) {
        Map<String, Object> dict = dict(top());
        if (items.size() % 2 != 0) {
            throw fault("a key has no value");
        }
        for (int i = 0; i < items.size(); i += 2) {
            String key = as(String.class, "string", items.get(i));
            if (dict.put(key, items.get(i + 1)) != null) {
                throw fault("the key " + quote(key) + " appears twice");
            }
        }
    }

    private void protocol() {
        int protocol = u8();
        if (protocol > MAX_PROTOCOL) {
            throw fault("it has protocol " + protocol + ", the newest known is " + MAX_PROTOCOL);
        }
    }

    private void frame() {
        long length = pickle.getLong();
        if (length < 0 || length > pickle.remaining()) {
            throw fault("a frame of " + Long.toUnsignedString(length) + " bytes is announced where "
                    + pickle.remaining() + " are left");
        }
    }

    private long longInteger() {
        int length = u8();
        if (length > Long.BYTES) {
            throw fault("an integer of " + length + " bytes is too large");
        }
        long value = 0;
        for (int i = 0; i < length; i++) {
            value |= (long) u8() << (8 * i);
        }
        int unused = 64 - 8 * length;
        return length == 0 ? 0 : value << unused >> unused; // extends the sign
    }

    private String text(long length) {
        if (length < 0 || length > pickle.remaining()) {
            throw fault("a text of " + Long.toUnsignedString(length) + " bytes is announced where " + pickle.remaining()
                    + " are left");
        }
        byte[] bytes = new byte[(int) length];
        pickle.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private String line() {
        int start = pickle.position();
        while (pickle.get() != '\n') {
            // goes on to the end of the line
        }
        return new String(pickle.array(), start, pickle.position() - 1 - start, StandardCharsets.UTF_8);
    }

    private Object remembered(long index) {
        Object value = memo.get(index);
        if (value == null) {
            throw fault("it refers to the unknown memo entry " + index);
        }
        return value;
    }

    private Object top() {
        if (stack.isEmpty() || stack.get(stack.size() - 1) == Symbol.MARK) {
            throw fault("an opcode lacks its operands");
        }
        return stack.get(stack.size() - 1);
    }

    private Object pop() {
        return popLast(1).get(0);
    }

    private List<Object> popLast(int count) {
        return popFrom(stack.size() - count);
    }

    private List<Object> popToMark() {
        int mark = stack.lastIndexOf(Symbol.MARK);
        List<Object> values = popFrom(mark + 1);
        if (mark < 0) {
            throw fault("an opcode lacks its mark");
        }
        stack.remove(mark);
        return values;
    }

    private List<Object> popFrom(int start) {
        if (start < 0 || stack.subList(start, stack.size()).contains(Symbol.MARK)) {
            throw fault("an opcode lacks its operands");
        }
        List<Object> values = new ArrayList<>(stack.subList(start, stack.size()));
        stack.subList(start, stack.size()).clear();
        return values;
    }

    private <T> T as(Class<T> type, String kind, Object value) {
        if (!type.isInstance(value)) {
            throw fault("a value is no " + kind + " where one is needed");
        }
        return type.cast(value);
    }

    private List<?> tuple(Object value) {
        return as(List.class, "tuple", value);
    }

    @SuppressWarnings("unchecked") // the only maps on the stack have string keys, see setItems
    private Map<String, Object> dict(Object value) {
        return as(LinkedHashMap.class, "dict", value);
    }

    private long[] numbers(Object tuple) {
        return tuple(tuple).stream()
                .mapToLong(number -> as(Long.class, "number", number))
                .toArray();
    }

    private void arity(List<?> arguments, int least, int most) {
        if (arguments.size() < least || arguments.size() > most) {
            throw fault("a call or persistent id has " + arguments.size() + " parts, expected " + least);
        }
    }

    private int u8() {
        return Byte.toUnsignedInt(pickle.get());
    }

    private long u32() {
        return Integer.toUnsignedLong(pickle.getInt());
    }

    private CheckpointException fault(String reason) {
        return new CheckpointException(file + ": refused pickle: " + reason);
    }

    private static String opcodeName(int opcode) {
        String name = REFUSED.get(opcode);
        String code = String.format(Locale.ROOT, "0x%02x", opcode);
        return name == null ? code : code + " (" + name + ")";
    }
}
