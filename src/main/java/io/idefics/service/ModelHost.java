package io.idefics.service;

import io.idefics.checkpoint.CheckpointException;
import io.idefics.checkpoint.CheckpointWeights;
import io.idefics.checkpoint.IdeficsConfig;
import io.idefics.checkpoint.ModelDirectory;
import io.idefics.checkpoint.TensorType;
import io.idefics.engine.CacheSize;
import io.idefics.engine.Engine;
import io.idefics.engine.EnginePool;
import io.idefics.engine.EngineProperties;
import io.idefics.engine.LoadedModel;
import io.idefics.engine.PoolProperties;
import io.idefics.engine.ReplicaStatus;
import io.idefics.engine.SequenceEvent;
import io.idefics.grammar.TokenGrammars;
import io.idefics.image.IdeficsImageProcessor;
import io.idefics.model.ComputeType;
import io.idefics.model.IdeficsModel;
import io.idefics.model.InsufficientMemoryException;
import io.idefics.model.LoadOptions;
import io.idefics.model.MemoryLedger;
import io.idefics.model.MemoryPlan;
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
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.scheduler.Schedulers;

/** A configured model, from loading to closing: its tokenizer, its processors and the pool of its replicas. */
public final class ModelHost implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(ModelHost.class);

    /** How far a model is. */
    public enum State {
        /** It is loaded for the first time. */
        LOADING,
        /** A replica takes requests. */
        READY,
        /** It was ready, and no replica is now; one may come back. */
        RESTARTING,
        /** It stays out. */
        FAILED
    }

    /**
     * What a loaded model brings besides its engine.
     *
     * @param description what clients may know of it
     * @param stopIds the tokens that end an answer
     * @param bannedIds the tokens that must never be generated
     * @param grammars the forms that answers may be held to; null for a vocabulary that does not have every byte
     */
    record Parts(
            ModelDescription description,
            IdeficsTokenizer tokenizer,
            PromptTemplate template,
            IdeficsProcessor processor,
            IdeficsImageProcessor imageProcessor,
            Set<Integer> stopIds,
            int[] bannedIds,
            @Nullable TokenGrammars grammars) {}

    /** What all replicas share, made by the first that is loaded. */
    private record Prepared(ModelDirectory directory, Parts parts, ComputeType type, MemoryPlan plan) {}

    private final ModelProperties properties;
    private final EngineProperties engineProperties;
    private final MemoryLedger memory;
    private final Clock clock;
    private final EnginePool<SequenceEvent> pool;
    private volatile @Nullable Prepared prepared;

    /**
     * Begins to load the model; {@link #state()} tells how far it is.
     *
     * @param memory what all models share; the model is planned there before anything big is loaded
     */
    public ModelHost(
            ModelProperties properties,
            EngineProperties engineProperties,
            PoolProperties poolProperties,
            MemoryLedger memory,
            Clock clock) {
        this.properties = properties;
        this.engineProperties = engineProperties;
        this.memory = memory;
        this.clock = clock;
        this.pool = new EnginePool<>(
                id(),
                poolProperties,
                properties.placements(),
                replica -> new Engine(id(), engineProperties.settings(), () -> load(replica)),
                Schedulers.boundedElastic());
        pool.ready().whenComplete((ready, error) -> {
            Throwable failure = pool.failure();
            if (failure != null) {
                log.error("The model {} cannot be served: {}", id(), reason(failure), cause(failure));
                memory.release(id());
            }
        });
    }

    /** Keeps the memory free that a model needs at least, until it is planned. */
    public static void announce(ModelProperties properties, EngineProperties engineProperties, MemoryLedger memory) {
        try {
            IdeficsConfig config = IdeficsConfig.read(Path.of(properties.path()).resolve("config.json"));
            TensorType stated = config.torchDtype();
            TensorType stored = stated == null ? TensorType.BF16 : stated;
            memory.announce(
                    properties.modelId(),
                    config,
                    settings(properties, engineProperties, config, computeType(properties, stored), stored),
                    properties.placements());
        } catch (CheckpointException | InsufficientMemoryException | IllegalArgumentException e) {
            log.debug("{} needs no memory: it cannot be loaded", properties.modelId(), e); // which it tells itself
        }
    }

    public String id() {
        return properties.modelId();
    }

    public State state() {
        return switch (pool.state()) {
            case LOADING -> State.LOADING;
            case READY -> State.READY;
            case RESTARTING -> State.RESTARTING;
            case FAILED -> State.FAILED;
        };
    }

    /** Completes when the model can be asked; fails with a reason when it cannot be loaded. */
    public CompletableFuture<Void> ready() {
        return pool.ready();
    }

    /** Why the model is not served; null unless it {@linkplain State#FAILED failed} or is restarted. */
    public @Nullable String failure() {
        Throwable error = pool.failure();
        if (error != null) {
            return reason(error);
        }
        return state() != State.RESTARTING
                ? null
                : replicas().stream()
                        .map(ReplicaStatus::failure)
                        .filter(Objects::nonNull)
                        .findFirst()
                        .orElse("a step does not end");
    }

    /** Whether the model was ready and no replica is left, which only a restart of the process cures. */
    public boolean hasDied() {
        return pool.hasDied();
    }

    /** The replicas as they are now. */
    public List<ReplicaStatus> replicas() {
        return pool.replicas();
    }

    /** One replica as it is now. */
    public ReplicaStatus replica(int index) {
        return pool.replica(index);
    }

    EnginePool<SequenceEvent> pool() {
        return pool;
    }

    /** The parts of the model, null unless it is {@linkplain State#READY ready}. */
    @Nullable
    Parts parts() {
        Prepared shared = prepared;
        return shared != null && state() == State.READY ? shared.parts() : null;
    }

    /** Fails everything that is under way, and everything after it. */
    void stop() {
        pool.close();
    }

    @Override
    public void close() {
        stop();
        Prepared shared = prepared;
        if (shared != null) {
            shared.parts().tokenizer().close();
        }
        memory.release(id());
    }

    /** Builds the model of a replica, on its engine thread. */
    private LoadedModel load(int replica) {
        long start = System.nanoTime();
        Prepared shared = prepare();
        MemoryPlan.Replica place = shared.plan().replicas().get(replica);
        List<String> devices = place.devices();
        LoadOptions options = new LoadOptions(
                shared.type(),
                properties.quantization(),
                properties.layout(),
                devices,
                properties.quantizedCache() ? shared.directory().path() : null,
                (bytes, total) -> {});
        try (CheckpointWeights weights = shared.directory().openWeights()) {
            IdeficsModel model = warmedUp(IdeficsModel.load(shared.directory().config(), weights, options));
            log.info(
                    "{} is ready on {} in {} after {} ms",
                    id(),
                    String.join(", ", devices),
                    shared.type(),
                    Duration.ofNanos(System.nanoTime() - start).toMillis());
            MemoryPlan.Slots slots = place.slots();
            int blocks = slots.tokens() / engineProperties.blockTokens();
            return new LoadedModel(model, new CacheSize(blocks, slots.images(), slots.latents()));
        }
    }

    /** Reads the small files and plans the memory, once; other replicas wait for the first. */
    private synchronized Prepared prepare() {
        Prepared known = prepared;
        if (known != null) {
            return known;
        }
        ModelDirectory directory = ModelDirectory.open(Path.of(properties.path()));
        log.info("Loading {}: {} from {}", id(), directory.config().architectureName(), directory.path());
        IdeficsTokenizer tokenizer = IdeficsTokenizer.load(directory.tokenizerJson());
        try (CheckpointWeights weights = directory.openWeights()) {
            TensorType stored = weights.tensor("lm_head.weight").type();
            ComputeType type = computeType(properties, stored);
            Parts parts = parts(directory, tokenizer, type);
            MemoryPlan plan = memory.plan(
                    id(),
                    directory.config(),
                    settings(properties, engineProperties, directory.config(), type, stored),
                    properties.placements());
            log.info("{}", plan.table());
            Prepared made = new Prepared(directory, parts, type, plan);
            prepared = made;
            return made;
        } catch (RuntimeException | Error e) {
            tokenizer.close();
            throw e;
        }
    }

    private static MemoryPlan.Settings settings(
            ModelProperties properties,
            EngineProperties engine,
            IdeficsConfig config,
            ComputeType type,
            TensorType stored) {
        Integer limit = properties.maxContextLength();
        return new MemoryPlan.Settings(
                type,
                stored,
                properties.quantization(),
                properties.layout(),
                limit == null ? config.contextLength() : limit,
                engine.maxBatchSequences(),
                engine.prefillChunkTokens() + engine.maxBatchSequences(),
                engine.maxBatchImages(),
                engine.blockTokens(),
                engine.kvCacheBytes(),
                engine.imageCacheBytes(),
                engine.latentCacheBytes());
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

    private Parts parts(ModelDirectory directory, IdeficsTokenizer tokenizer, ComputeType type) {
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
        var preprocessor = directory.preprocessorConfig();
        boolean endOfUtterance = special.endOfUtterance().isPresent();
        return new Parts(
                ModelDescription.of(
                        properties,
                        config,
                        endOfUtterance,
                        type,
                        clock.instant().getEpochSecond(),
                        version()),
                tokenizer,
                new PromptTemplate(endOfUtterance),
                new IdeficsProcessor(tokenizer, endOfUtterance),
                new IdeficsImageProcessor(
                        preprocessor.imageSize(), floats(preprocessor.imageMean()), floats(preprocessor.imageStd())),
                Set.copyOf(stopIds),
                new int[] {special.image(), special.fakeTokenAroundImage()},
                grammars(tokenizer, stopIds));
    }

    private @Nullable TokenGrammars grammars(IdeficsTokenizer tokenizer, Set<Integer> stopIds) {
        try {
            return new TokenGrammars(tokenizer, stopIds);
        } catch (IllegalArgumentException e) {
            log.warn("{} cannot hold its answers to a form: {}", id(), e.getMessage());
            return null;
        }
    }

    /** The version of this program, as its jar tells it. */
    private static String version() {
        return Objects.requireNonNullElse(ModelHost.class.getPackage().getImplementationVersion(), "dev");
    }

    /** The configured type, or that of the largest tensors. */
    private static ComputeType computeType(ModelProperties properties, TensorType stored) {
        ComputeType configured = properties.dtype();
        if (configured != null) {
            return configured;
        }
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

    /** The stack trace belongs in the log for a fault of ours, not for a checkpoint or a setting that is wrong. */
    private static @Nullable Throwable cause(Throwable error) {
        return error instanceof CheckpointException
                        || error instanceof InsufficientMemoryException
                        || error instanceof IllegalArgumentException
                ? null
                : error;
    }
}
