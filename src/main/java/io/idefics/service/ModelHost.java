package io.idefics.service;

import io.idefics.checkpoint.CheckpointException;
import io.idefics.checkpoint.CheckpointWeights;
import io.idefics.checkpoint.IdeficsConfig;
import io.idefics.checkpoint.ModelDirectory;
import io.idefics.checkpoint.TensorType;
import io.idefics.engine.CacheSize;
import io.idefics.engine.Engine;
import io.idefics.engine.EngineProperties;
import io.idefics.engine.EngineSettings;
import io.idefics.engine.LoadedModel;
import io.idefics.image.IdeficsImageProcessor;
import io.idefics.model.ComputeType;
import io.idefics.model.IdeficsModel;
import io.idefics.processing.IdeficsProcessor;
import io.idefics.processing.PromptTemplate;
import io.idefics.service.ModelsProperties.ModelProperties;
import io.idefics.tokenizer.IdeficsTokenizer;
import io.idefics.tokenizer.SpecialTokens;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A configured model, from loading to closing: its tokenizer, its processors and its engine. */
public final class ModelHost implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(ModelHost.class);

    /** How far a model is. */
    public enum State {
        LOADING,
        READY,
        FAILED
    }

    /**
     * What a loaded model brings besides its engine.
     *
     * @param description what clients may know of it
     * @param stopIds the tokens that end an answer
     * @param bannedIds the tokens that must never be generated
     */
    record Parts(
            ModelDescription description,
            IdeficsTokenizer tokenizer,
            PromptTemplate template,
            IdeficsProcessor processor,
            IdeficsImageProcessor imageProcessor,
            Set<Integer> stopIds,
            int[] bannedIds) {}

    private final ModelProperties properties;
    private final Clock clock;
    private final Engine engine;
    private volatile @Nullable Parts parts;

    /** Begins to load the model; {@link #state()} tells how far it is. */
    public ModelHost(ModelProperties properties, EngineProperties engineProperties, Clock clock) {
        this.properties = properties;
        this.clock = clock;
        this.engine = new Engine(properties.modelId(), settings(engineProperties), this::load);
        engine.ready().whenComplete((ready, error) -> {
            Throwable failure = engine.failure();
            if (failure != null) {
                log.error("The model {} cannot be served: {}", id(), reason(failure), cause(failure));
            }
        });
    }

    public String id() {
        return properties.modelId();
    }

    public State state() {
        if (engine.failure() != null) {
            return State.FAILED;
        }
        return parts != null && engine.isAlive() ? State.READY : State.LOADING;
    }

    /** Why the model cannot be served; null unless it {@linkplain State#FAILED failed}. */
    public @Nullable String failure() {
        Throwable error = engine.failure();
        return error == null ? null : reason(error);
    }

    /** Whether the engine ran and has died since, which only a restart cures. */
    public boolean hasDied() {
        return parts != null && engine.failure() != null;
    }

    Engine engine() {
        return engine;
    }

    /** The parts of the model, null unless it is {@linkplain State#READY ready}. */
    @Nullable
    Parts parts() {
        return state() == State.READY ? parts : null;
    }

    @Override
    public void close() {
        engine.close();
        Parts loaded = parts;
        if (loaded != null) {
            loaded.tokenizer().close();
        }
    }

    /** Reads the checkpoint and builds the model, on the engine thread. */
    private LoadedModel load() {
        long start = System.nanoTime();
        ModelDirectory directory = ModelDirectory.open(Path.of(properties.path()));
        IdeficsConfig config = directory.config();
        log.info("Loading {}: {} from {}", id(), config.architectureName(), directory.path());
        IdeficsTokenizer tokenizer = IdeficsTokenizer.load(directory.tokenizerJson());
        try (CheckpointWeights weights = directory.openWeights()) {
            Parts loaded = parts(directory, tokenizer);
            ComputeType type = computeType(weights);
            IdeficsModel model = warmedUp(IdeficsModel.load(config, weights, type, properties.device()));
            parts = loaded;
            log.info(
                    "{} is ready on {} in {} after {} ms",
                    id(),
                    properties.device(),
                    type,
                    Duration.ofNanos(System.nanoTime() - start).toMillis());
            int blocks = (loaded.description().contextLength() + 15) / 16 * 16;
            return new LoadedModel(model, new CacheSize(blocks, 64, 256));
        } catch (RuntimeException | Error e) {
            tokenizer.close();
            throw e;
        }
    }

    private static EngineSettings settings(EngineProperties properties) {
        return new EngineSettings(
                16,
                properties.maxWaitingSequences(),
                16,
                properties.prefillChunkTokens(),
                8,
                1,
                null,
                Duration.ofSeconds(60),
                Duration.ofMinutes(5),
                properties.closeTimeout());
    }

    /** The model after its first step; a model that fails in it is freed. */
    private static IdeficsModel warmedUp(IdeficsModel model) {
        try {
            model.warmUp();
            return model;
        } catch (RuntimeException | Error e) {
            model.close();
            throw e;
        }
    }

    private Parts parts(ModelDirectory directory, IdeficsTokenizer tokenizer) {
        IdeficsConfig config = directory.config();
        if (tokenizer.maxId() >= config.totalVocabSize()) {
            throw new CheckpointException(directory.tokenizerJson() + ": has a token of id " + tokenizer.maxId()
                    + ", but the model knows only ids below " + config.totalVocabSize());
        }
        SpecialTokens special = tokenizer.specialTokens();
        Set<Integer> stopIds = new HashSet<>(directory.generationConfig().eosTokenIds());
        stopIds.addAll(config.eosTokenIds());
        stopIds.add(special.eos());
        special.endOfUtterance().ifPresent(stopIds::add);
        Integer limit = properties.maxContextLength();
        var preprocessor = directory.preprocessorConfig();
        boolean endOfUtterance = special.endOfUtterance().isPresent();
        return new Parts(
                new ModelDescription(
                        id(), clock.instant().getEpochSecond(), limit == null ? config.contextLength() : limit),
                tokenizer,
                new PromptTemplate(endOfUtterance),
                new IdeficsProcessor(tokenizer, endOfUtterance),
                new IdeficsImageProcessor(
                        preprocessor.imageSize(), floats(preprocessor.imageMean()), floats(preprocessor.imageStd())),
                Set.copyOf(stopIds),
                new int[] {special.image(), special.fakeTokenAroundImage()});
    }

    /** The configured type, or that of the largest tensors. */
    private ComputeType computeType(CheckpointWeights weights) {
        ComputeType configured = properties.dtype();
        if (configured != null) {
            return configured;
        }
        TensorType stored = weights.tensor("lm_head.weight").type();
        return stored == TensorType.BF16 ? ComputeType.BFLOAT16 : ComputeType.FLOAT32;
    }

    private static float[] floats(List<Double> values) {
        float[] floats = new float[values.size()];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = values.get(i).floatValue();
        }
        return floats;
    }

    private static String reason(Throwable error) {
        String message = error.getMessage();
        return message == null ? error.toString() : message;
    }

    /** The stack trace belongs in the log for a fault of ours, not for a checkpoint that is wrong. */
    private static @Nullable Throwable cause(Throwable error) {
        return error instanceof CheckpointException || error instanceof IllegalArgumentException ? null : error;
    }
}
