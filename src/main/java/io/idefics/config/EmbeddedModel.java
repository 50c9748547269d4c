package io.idefics.config;

import io.idefics.model.ComputeType;
import io.idefics.service.ModelsProperties.ModelProperties;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.springframework.core.io.Resource;
import org.springframework.core.io.support.PathMatchingResourcePatternResolver;
import org.springframework.util.FileSystemUtils;

/**
 * The small checkpoint that the jar carries, served when no model is configured. Weights are mapped from files, so it is
 * copied to a temporary directory first, which closing removes.
 */
final class EmbeddedModel implements AutoCloseable {

    private static final String ID = "idefics-mini-instruct";
    private static final String DESCRIPTION =
            "A small demonstration model that knows simple drawings; it is there to try the server out.";
    private static final String LICENSE = "Apache-2.0";
    private static final String LICENSE_URL = "https://www.apache.org/licenses/LICENSE-2.0";

    private @Nullable Path directory;

    /** Where the checkpoint lies now. It is computed in float32, which is fast enough at its size, and exact. */
    ModelProperties properties() {
        try {
            Path copy = Files.createTempDirectory("idefics-");
            directory = copy;
            Resource[] files = new PathMatchingResourcePatternResolver().getResources("classpath:/models/" + ID + "/*");
            for (Resource file : files) {
                try (InputStream in = file.getInputStream()) {
                    Files.copy(in, copy.resolve(Objects.requireNonNull(file.getFilename())));
                }
            }
            return ModelProperties.onCpu(copy.toString(), ID, ComputeType.FLOAT32)
                    .described(DESCRIPTION, LICENSE, LICENSE_URL);
        } catch (IOException e) {
            throw new UncheckedIOException("The built-in model cannot be copied to a temporary directory", e);
        }
    }

    @Override
    public void close() throws IOException {
        FileSystemUtils.deleteRecursively(directory);
    }
}
