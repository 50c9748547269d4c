package io.idefics.service;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.util.List;
import java.util.stream.Collectors;

/** The models of this service, in configured order. */
public final class ModelRegistry implements AutoCloseable {

    private final List<ModelHost> hosts;

    public ModelRegistry(List<ModelHost> hosts) {
        this.hosts = List.copyOf(hosts);
    }

    public List<ModelHost> hosts() {
        return hosts;
    }

    /**
     * The model of that id.
     *
     * @throws GenerationException with {@link ErrorType#MODEL_NOT_FOUND} or {@link ErrorType#MODEL_NOT_READY}
     */
    ModelHost ready(String id) {
        ModelHost host = hosts.stream()
                .filter(h -> h.id().equals(id))
                .findFirst()
                .orElseThrow(() -> new GenerationException(
                        ErrorType.MODEL_NOT_FOUND,
                        "The model '" + shortened(id) + "' does not exist. Served here: "
                                + hosts.stream().map(ModelHost::id).collect(Collectors.joining(", ")) + ".",
                        "model"));
        return switch (host.state()) {
            case READY -> host;
            case LOADING ->
                throw new GenerationException(
                        ErrorType.MODEL_NOT_READY,
                        "The model '" + id + "' is still loading. Try again later.",
                        "model");
            case RESTARTING ->
                throw new GenerationException(
                        ErrorType.MODEL_NOT_READY,
                        "The model '" + id + "' is being restarted. Try again later.",
                        "model");
            case FAILED ->
                throw new GenerationException(
                        ErrorType.MODEL_NOT_READY, "The model '" + id + "' could not be loaded.", "model");
        };
    }

    /** Fails everything that is under way, and everything after it. */
    public void stop() {
        hosts.forEach(ModelHost::stop);
    }

    @Override
    public void close() {
        hosts.forEach(ModelHost::close);
    }

    private static String shortened(String id) {
        return id.length() <= 100 ? id : id.substring(0, 100) + "...";
    }
}
