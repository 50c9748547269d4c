package io.idefics.observability;

import io.idefics.engine.EngineStats;
import io.idefics.engine.ReplicaState;
import io.idefics.engine.ReplicaStatus;
import io.idefics.service.ModelHost;
import io.idefics.service.ModelRegistry;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.FunctionTimer;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.stereotype.Component;

/**
 * The meters of the engines, for each model and replica. They are read from what the engines publish when somebody asks,
 * so they cost the engines nothing. Counters go on when a replica is built anew.
 */
@Component
class EngineMeters implements MeterBinder {

    private static final String PREFIX = "idefics.engine.";

    /** Kept here because the registry holds what it reads from only weakly. */
    private final List<Replica> replicas;

    @Autowired
    EngineMeters(ModelRegistry models) {
        this(models.hosts().stream().flatMap(EngineMeters::replicas).toList());
    }

    EngineMeters(List<Replica> replicas) {
        this.replicas = List.copyOf(replicas);
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        replicas.forEach(replica -> new ReplicaMeters(registry, replica).bind());
    }

    private static Stream<Replica> replicas(ModelHost host) {
        return host.replicas().stream()
                .map(ReplicaStatus::index)
                .map(index -> new Replica(host.id(), index, () -> host.replica(index)));
    }

    /** Where the numbers of a replica come from. */
    record Replica(String model, int index, Supplier<ReplicaStatus> status) {

        EngineStats stats() {
            return status.get().stats();
        }
    }

    /** The meters of one replica. */
    private record ReplicaMeters(MeterRegistry registry, Replica replica) {

        void bind() {
            Tags none = Tags.empty();
            gauge(
                    "ready",
                    none,
                    "1 while the replica takes sequences, else 0",
                    "replicas",
                    status -> status.state() == ReplicaState.READY ? 1 : 0);
            gauge(
                    "sequences.running",
                    none,
                    "Sequences that hold a place in the batch",
                    "sequences",
                    ReplicaStatus::runningSequences);
            gauge(
                    "sequences.waiting",
                    none,
                    "Sequences that wait for their turn",
                    "sequences",
                    ReplicaStatus::waitingSequences);
            bindCache();
            bindWork();
        }

        private void bindCache() {
            String blocks = "Blocks of the key/value cache: used by sequences, cached for others, or free";
            gauge("cache.blocks", Tags.of("state", "used"), blocks, "blocks", s -> s.stats()
                    .usedBlocks());
            gauge("cache.blocks", Tags.of("state", "cached"), blocks, "blocks", s -> s.stats()
                    .cachedBlocks());
            gauge("cache.blocks", Tags.of("state", "free"), blocks, "blocks", s -> s.stats()
                    .freeBlocks());
            String prefix = "Prompt tokens that were found in the cache, or not";
            counter("prefix.tokens", Tags.of("result", "hit"), prefix, "tokens", EngineStats::prefixHitTokens);
            counter("prefix.tokens", Tags.of("result", "miss"), prefix, "tokens", EngineStats::prefixMissTokens);
            String images = "Pictures that were found in a tier of the cache, or not: states are what the decoder sees,"
                    + " latents what the vision tower makes";
            counter("images", image("states", "hit"), images, "images", EngineStats::imageStateHits);
            counter("images", image("states", "miss"), images, "images", EngineStats::imageStateMisses);
            counter("images", image("latents", "hit"), images, "images", EngineStats::latentHits);
            counter("images", image("latents", "miss"), images, "images", EngineStats::latentMisses);
        }

        private void bindWork() {
            Tags none = Tags.empty();
            String tokens = "Tokens of prompts that were run, and tokens that were generated";
            counter("tokens", Tags.of("kind", "prompt"), tokens, "tokens", EngineStats::promptTokens);
            counter("tokens", Tags.of("kind", "generated"), tokens, "tokens", EngineStats::generatedTokens);
            counter(
                    "preemptions",
                    none,
                    "Sequences that lost their blocks to others and started over",
                    "sequences",
                    EngineStats::preemptions);
            String refused =
                    "Sequences that were refused because too many waited (full), that left the queue for others of"
                            + " higher priority (displaced), and whose time in the queue was over (overdue)";
            counter("refused", Tags.of("reason", "full"), refused, "sequences", EngineStats::refused);
            counter("refused", Tags.of("reason", "displaced"), refused, "sequences", EngineStats::displaced);
            counter("refused", Tags.of("reason", "overdue"), refused, "sequences", EngineStats::overdue);
            counter("nan.logits", none, "Rows of logits that were not finite", "rows", EngineStats::nanLogits);
            FunctionTimer.builder(
                            PREFIX + "step",
                            replica,
                            r -> r.stats().steps(),
                            r -> r.stats().stepNanos(),
                            TimeUnit.NANOSECONDS)
                    .tags(tags(none))
                    .description("Steps of the model and their time")
                    .register(registry);
            FunctionCounter.builder(
                            PREFIX + "restarts", replica, r -> r.status().get().restarts())
                    .tags(tags(none))
                    .description("How often the replica was built anew after a failure")
                    .baseUnit("restarts")
                    .register(registry);
        }

        private void gauge(
                String name, Tags tags, String description, String unit, ToDoubleFunction<ReplicaStatus> value) {
            Gauge.builder(
                            PREFIX + name,
                            replica,
                            r -> value.applyAsDouble(r.status().get()))
                    .tags(tags(tags))
                    .description(description)
                    .baseUnit(unit)
                    .register(registry);
        }

        private void counter(
                String name, Tags tags, String description, String unit, ToLongFunction<EngineStats> value) {
            FunctionCounter.builder(PREFIX + name, replica, r -> value.applyAsLong(r.stats()))
                    .tags(tags(tags))
                    .description(description)
                    .baseUnit(unit)
                    .register(registry);
        }

        private Tags tags(Tags own) {
            return own.and("model", replica.model(), "replica", String.valueOf(replica.index()));
        }

        private static Tags image(String tier, String result) {
            return Tags.of("tier", tier, "result", result);
        }
    }
}
