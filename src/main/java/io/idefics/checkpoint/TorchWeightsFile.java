package io.idefics.checkpoint;

import static io.idefics.checkpoint.CheckpointException.quote;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A file of {@code torch.save} (1.6 and later): a zip archive of uncompressed members under one folder, with the
 * structure in {@code data.pkl} and each storage in {@code data/<key>}. No code of the file is ever run, see
 * {@link TensorUnpickler}.
 */
public final class TorchWeightsFile implements WeightFile {

    private static final String PICKLE = "/data.pkl";
    private static final long PICKLE_LIMIT = 16_000_000;

    private final MappedFile file;
    private final String folder;
    private final Map<String, StoredZip.Member> members;
    private final Map<String, PickledTensor> tensors;
    private final Map<String, TensorSpec> specs = new LinkedHashMap<>();

    private TorchWeightsFile(MappedFile file) {
        this.file = file;
        this.members = StoredZip.members(file);
        this.folder = folder();
        checkByteOrder();
        this.tensors = TensorUnpickler.read(file.path().toString(), read(folder + PICKLE, PICKLE_LIMIT));
        tensors.forEach(this::checkStorage);
        tensors.forEach((name, tensor) ->
                specs.put(name, new TensorSpec(tensor.storage().type(), tensor.shape())));
    }

    /**
     * Opens a file and checks its structure.
     *
     * @throws CheckpointException naming the file, and the tensor where one is at fault
     */
    public static TorchWeightsFile open(Path path) {
        MappedFile file = MappedFile.open(path);
        try {
            FileSignature signature = file.signature();
            if (signature == FileSignature.PICKLE) {
                throw new CheckpointException(path + ": is " + signature.description()
                        + ", which is not read; convert it to safetensors, or save it again with a current torch");
            } else if (signature != FileSignature.ZIP) {
                throw new CheckpointException(path + ": not a torch weight file: it is " + signature.description());
            }
            return new TorchWeightsFile(file);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    @Override
    public Path path() {
        return file.path();
    }

    @Override
    public Map<String, TensorSpec> specs() {
        return Collections.unmodifiableMap(specs);
    }

    @Override
    public StoredTensor tensor(String name) {
        PickledTensor tensor = tensors.get(name);
        if (tensor == null) {
            throw WeightFile.unknown(path(), name);
        }
        TensorType type = tensor.storage().type();
        long start = storage(name, tensor).position() + tensor.offset() * type.byteSize();
        if (tensor.contiguous()) {
            ByteBuffer data = file.map(name, type, start, tensor.elements() * type.byteSize());
            return new StoredTensor(type, tensor.shape().clone(), data);
        }
        ByteBuffer view = file.map(name, type, start, tensor.span() * type.byteSize());
        return new StoredTensor(type, tensor.shape().clone(), gather(view, tensor));
    }

    @Override
    public void read(String name, ByteBuffer target) {
        PickledTensor tensor = tensors.get(name);
        if (tensor != null && tensor.contiguous()) {
            long offset = tensor.offset() * tensor.storage().type().byteSize();
            file.read(storage(name, tensor).position() + offset, target);
        } else {
            target.put(tensor(name).data());
        }
    }

    @Override
    public void close() {
        file.close();
    }

    /** The one folder that all members lie in: that of the only data.pkl. */
    private String folder() {
        List<String> pickles = members.keySet().stream()
                .filter(name -> name.endsWith(PICKLE) && name.indexOf('/') == name.length() - PICKLE.length())
                .toList();
        if (pickles.size() != 1) {
            throw new CheckpointException(
                    path() + ": not a torch weight file: expected one folder with data.pkl, found " + pickles.size());
        }
        String found = pickles.get(0).substring(0, pickles.get(0).length() - PICKLE.length());
        for (String name : members.keySet()) {
            if (!name.startsWith(found + "/") || List.of(name.split("/")).contains("..")) {
                throw new CheckpointException(
                        path() + ": member " + quote(name) + " lies outside the folder " + quote(found));
            }
        }
        return found;
    }

    private void checkByteOrder() {
        if (members.containsKey(folder + "/byteorder")) {
            String order = new String(read(folder + "/byteorder", 16), StandardCharsets.US_ASCII);
            if (!order.equals("little")) {
                throw new CheckpointException(path() + ": byte order is " + quote(order) + ", expected \"little\"");
            }
        }
    }

    private void checkStorage(String name, PickledTensor tensor) {
        StoredZip.Member member = storage(name, tensor);
        if (member.length() != tensor.storage().bytes()) {
            throw new CheckpointException(path() + ": tensor " + quote(name) + " announces a storage of "
                    + tensor.storage().bytes() + " bytes, the file holds " + member.length());
        }
    }

    private StoredZip.Member storage(String name, PickledTensor tensor) {
        StoredZip.Member member =
                members.get(folder + "/data/" + tensor.storage().key());
        if (member == null) {
            throw new CheckpointException(path() + ": tensor " + quote(name) + " has no storage "
                    + quote(tensor.storage().key()) + " in the file");
        }
        return member;
    }

    private byte[] read(String name, long limit) {
        StoredZip.Member member = members.get(name);
        if (member == null || member.length() > limit) {
            throw new CheckpointException(
                    path() + ": member " + quote(name) + " is missing or larger than " + limit + " bytes");
        }
        return file.readBytes(member.position(), member.length());
    }

    /** The elements of a strided view in row-major order. */
    private static ByteBuffer gather(ByteBuffer view, PickledTensor tensor) {
        int size = tensor.storage().type().byteSize();
        int elements = Math.toIntExact(tensor.elements());
        ByteBuffer copy = ByteBuffer.allocateDirect(elements * size).order(ByteOrder.LITTLE_ENDIAN);
        long[] shape = tensor.shape();
        long[] index = new long[shape.length];
        int position = 0; // of the current element in the view, counted in elements
        for (int element = 0; element < elements; element++) {
            copy.put(element * size, view, position * size, size);
            for (int axis = shape.length - 1; axis >= 0; axis--) {
                position += (int) tensor.strides()[axis];
                if (++index[axis] < shape[axis]) {
                    break;
                }
                position -= (int) (shape[axis] * tensor.strides()[axis]);
                index[axis] = 0;
            }
        }
        return copy;
    }
}
