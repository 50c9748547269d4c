package io.idefics.model;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.engine.EngineException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The model as a TorchScript program: the text files beside this class, packed with the configuration into the archive
 * that {@code torch.jit.load} reads. libtorch compiles the text when it loads the archive; no Python takes part.
 */
final class ModelProgram {

    private static final List<String> FILES = List.of(
            "configuration.py", "attention.py", "quantization.py", "nn.py", "vision.py", "perceiver.py", "modeling.py");

    /** What becomes kernels.py: the first of these that this libtorch can compile. */
    static final List<String> KERNELS = List.of("onednn.py", "portable.py");

    /** What libtorch says when a program names an operator that it lacks; any other fault is one of the program. */
    private static final String UNKNOWN_OPERATOR = "Unknown builtin op";

    private static final String NAME = "idefics";
    private static final String PACKAGE = "__torch__.idefics.";

    /** The archive format that the oldest libtorch in use writes; it decides which operator versions the text means. */
    private static final String FORMAT_VERSION = "10\n";

    /** A pickled empty tuple: the program has no constants of its own. */
    private static final byte[] NO_CONSTANTS = {(byte) 0x80, 2, ')', '.'};

    private static final Logger log = LoggerFactory.getLogger(ModelProgram.class);

    private ModelProgram() {}

    /**
     * Compiles the program.
     *
     * @param config the attributes of the program's {@code IdeficsConfig}, by name
     * @param device where the model will run
     * @return a model whose block offers the methods of {@code IdeficsForVisionText2Text}; the caller closes it
     */
    static Model load(Map<String, Object> config, Device device) {
        return load(config, device, KERNELS);
    }

    /** Compiles the program with the first of these files for its kernels that libtorch can compile. */
    static Model load(Map<String, Object> config, Device device, List<String> kernels) {
        if (kernels.size() == 1) {
            return load(config, device, kernels.get(0));
        }
        try {
            return load(config, device, kernels.get(0));
        } catch (EngineException e) {
            if (!String.valueOf(e.getMessage()).contains(UNKNOWN_OPERATOR)) {
                throw e;
            }
            log.info("This libtorch lacks the operators of {}", kernels.get(0));
            return load(config, device, kernels.subList(1, kernels.size()));
        }
    }

    private static Model load(Map<String, Object> config, Device device, String kernels) {
        Model model = Model.newInstance(NAME, device, "PyTorch");
        try {
            model.load(new ByteArrayInputStream(archive(config, kernels)));
            return model;
        } catch (IOException e) {
            model.close();
            throw new UncheckedIOException(e);
        } catch (MalformedModelException e) {
            model.close();
            throw new IllegalStateException("The model program does not compile", e);
        } catch (RuntimeException e) {
            model.close();
            throw e;
        }
    }

    /** The bytes of the archive. */
    static byte[] archive(Map<String, Object> config, String kernels) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            store(zip, "version", FORMAT_VERSION.getBytes(StandardCharsets.US_ASCII));
            store(zip, "constants.pkl", NO_CONSTANTS);
            store(zip, "data.pkl", rootObject(config));
            store(zip, "code/__torch__/idefics/kernels.py", text(kernels));
            for (String file : FILES) {
                store(zip, "code/__torch__/idefics/" + file, text(file));
            }
        }
        return bytes.toByteArray();
    }

    private static byte[] rootObject(Map<String, Object> config) {
        ModulePickle pickle = new ModulePickle();
        pickle.beginObject(PACKAGE + "modeling", "IdeficsForVisionText2Text");
        pickle.key("training").value(false);
        pickle.key("config").beginObject(PACKAGE + "configuration", "IdeficsConfig");
        config.forEach((name, value) -> pickle.key(name).value(value));
        pickle.endObject();
        pickle.key("model").none();
        pickle.key("lm_head").none();
        pickle.key("cache").none();
        pickle.key("images").none();
        pickle.key("latents").none();
        pickle.key("encoding").none();
        pickle.endObject();
        return pickle.toByteArray();
    }

    private static byte[] text(String file) throws IOException {
        try (InputStream in = ModelProgram.class.getResourceAsStream(file)) {
            if (in == null) {
                throw new IllegalStateException("The program file " + file + " is missing from the class path");
            }
            return in.readAllBytes();
        }
    }

    /** Adds an uncompressed entry, which is all that libtorch's reader takes. */
    private static void store(ZipOutputStream zip, String name, byte[] content) throws IOException {
        CRC32 crc = new CRC32();
        crc.update(content);
        ZipEntry entry = new ZipEntry(NAME + "/" + name);
        entry.setMethod(ZipEntry.STORED);
        entry.setSize(content.length);
        entry.setCrc(crc.getValue());
        zip.putNextEntry(entry);
        zip.write(content);
        zip.closeEntry();
    }
}
