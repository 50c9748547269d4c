package io.idefics.config;

import io.idefics.admission.AccessProperties;
import io.idefics.admission.AccessProperties.KeyProperties;
import io.idefics.admission.ApiKey;
import io.idefics.admission.InvalidAccessException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.bind.BindException;
import org.springframework.boot.context.properties.bind.BindHandler;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.bind.handler.NoUnboundElementsBindHandler;
import org.springframework.boot.context.properties.source.ConfigurationPropertyName;
import org.springframework.boot.context.properties.source.ConfigurationPropertySources;
import org.springframework.boot.env.YamlPropertySourceLoader;
import org.springframework.core.env.PropertySource;
import org.springframework.core.io.ByteArrayResource;
import org.yaml.snakeyaml.error.Mark;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;

/** A YAML file with keys under {@code keys}, as in {@code idefics.access}. */
final class KeyFile {

    /** Room for thousands of keys. */
    private static final int MAX_BYTES = 1 << 20;

    private final String name;

    /**
     * What is in the file.
     *
     * @param keys the keys
     */
    record Contents(@Nullable List<KeyProperties> keys) {}

    KeyFile(String name) {
        this.name = name;
    }

    /**
     * The bytes of the file.
     *
     * @throws InvalidAccessException where it cannot be read
     */
    byte[] read() {
        try (InputStream in = Files.newInputStream(Path.of(name))) {
            byte[] content = in.readNBytes(MAX_BYTES + 1);
            if (content.length > MAX_BYTES) {
                throw invalid("has more than " + MAX_BYTES + " bytes.", null);
            }
            return content;
        } catch (NoSuchFileException e) {
            throw invalid("does not exist.", e);
        } catch (IOException | InvalidPathException e) {
            throw invalid("cannot be read: " + e + ".", e);
        }
    }

    /**
     * The keys in such bytes.
     *
     * @throws InvalidAccessException where they are not keys; the message quotes none of the file
     */
    List<ApiKey> parse(byte[] content) {
        List<KeyProperties> keys = bind(content).keys();
        if (keys == null) {
            throw invalid("has no keys.", null);
        }
        return AccessProperties.read(keys, "The key file " + name + ": keys");
    }

    private Contents bind(byte[] content) {
        try {
            List<PropertySource<?>> documents =
                    new YamlPropertySourceLoader().load(name, new ByteArrayResource(content));
            if (documents.size() > 1) {
                throw invalid("has " + documents.size() + " documents but may have one.", null);
            }
            return new Binder(ConfigurationPropertySources.from(documents))
                    .bindOrCreate(
                            ConfigurationPropertyName.EMPTY,
                            Bindable.of(Contents.class),
                            new NoUnboundElementsBindHandler(BindHandler.DEFAULT));
        } catch (BindException e) {
            throw invalid("is wrong: " + AccessFailureAnalyzer.describe(e) + ".", e);
        } catch (YAMLException | IOException | IllegalStateException e) {
            throw invalid("is not YAML" + place(e) + ".", e);
        }
    }

    /** Messages of the parser quote the file. */
    private static String place(Exception failure) {
        Mark mark = failure instanceof MarkedYAMLException marked ? marked.getProblemMark() : null;
        return mark == null ? "" : ", line " + (mark.getLine() + 1) + ", column " + (mark.getColumn() + 1);
    }

    private InvalidAccessException invalid(String what, @Nullable Exception cause) {
        String message = "The key file " + name + " " + what;
        return cause == null ? new InvalidAccessException(message) : new InvalidAccessException(message, cause);
    }
}
