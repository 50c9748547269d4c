package io.idefics.config;

import io.idefics.engine.EngineProperties;
import io.idefics.engine.PoolProperties;
import io.idefics.image.ImageDecoder;
import io.idefics.image.ImageFetcher;
import io.idefics.image.ImageProperties;
import io.idefics.model.DeviceMemory;
import io.idefics.model.MemoryLedger;
import io.idefics.service.CompletionService;
import io.idefics.service.EngineCompletionService;
import io.idefics.service.ModelHost;
import io.idefics.service.ModelRegistry;
import io.idefics.service.ModelsProperties;
import io.idefics.service.ModelsProperties.ModelProperties;
import io.idefics.service.PictureCache;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.LazyInitializationExcludeFilter;
import org.springframework.boot.autoconfigure.context.LifecycleProperties;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.info.BuildProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.util.unit.DataSize;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/** The models and the service that answers with them. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties({
    ModelsProperties.class,
    EngineProperties.class,
    PoolProperties.class,
    ImageProperties.class
})
class ModelConfiguration {

    private static final int MAX_QUEUED_TASKS = 10_000;
    private static final int MAX_QUEUED_PICTURES = 1_000; // for each thread

    /** Our own beans are made at start, so that wrong settings are refused then; the framework's when they are needed. */
    @Bean
    static LazyInitializationExcludeFilter ourBeansAtStart() {
        return (name, definition, type) -> type.getName().startsWith("io.idefics.");
    }

    @Bean
    EmbeddedModel embeddedModel() {
        return new EmbeddedModel();
    }

    /** The memory that all models share. */
    @Bean
    MemoryLedger memoryLedger(EngineProperties engine) {
        DataSize gpuMemory = engine.gpuMemory();
        return new MemoryLedger(device -> gpuMemory == null || device.equals("cpu")
                ? DeviceMemory.of(device)
                : Optional.of(new DeviceMemory(gpuMemory.toBytes(), 0)));
    }

    @Bean
    ModelRegistry modelRegistry(
            ModelsProperties properties,
            EngineProperties engine,
            PoolProperties pool,
            MemoryLedger memory,
            EmbeddedModel embedded) {
        List<ModelProperties> models =
                properties.models().isEmpty() ? List.of(embedded.properties()) : properties.models();
        models.forEach(model -> ModelHost.announce(model, engine, memory)); // all of them before the first is planned
        return new ModelRegistry(models.stream()
                .map(model -> new ModelHost(model, engine, pool, memory, Clock.systemUTC()))
                .toList());
    }

    /** Threads for tokenisation, which takes processor time. */
    @Bean(destroyMethod = "dispose")
    Scheduler preparationScheduler() {
        return Schedulers.newBoundedElastic(preparationThreads(), MAX_QUEUED_TASKS, "preparation");
    }

    /** Threads for pictures, which may wait for memory, so that prompts without pictures do not wait with them. */
    @Bean(destroyMethod = "dispose")
    Scheduler decodingScheduler() {
        return Schedulers.newBoundedElastic(preparationThreads(), MAX_QUEUED_PICTURES, "decoding");
    }

    /** How many prompts are prepared at the same time. */
    static int preparationThreads() {
        return Math.max(2, Runtime.getRuntime().availableProcessors());
    }

    @Bean
    ImageDecoder imageDecoder(ImageProperties properties) {
        return new ImageDecoder(
                properties.limits(),
                properties.applyExifOrientation(),
                properties.decodingBytes(),
                properties.decodeTimeout());
    }

    @Bean
    PictureCache pictureCache(ImageProperties properties) {
        return new PictureCache(properties.cacheBytes());
    }

    @Bean
    Drain drain(ModelRegistry models, LifecycleProperties lifecycle) {
        return new Drain(models, lifecycle.getTimeoutPerShutdownPhase());
    }

    @Bean
    ImageFetcher imageFetcher(ImageProperties properties, ObjectProvider<BuildProperties> build, MeterRegistry meters) {
        BuildProperties info = build.getIfAvailable();
        return new ImageFetcher(properties, info == null ? "dev" : info.getVersion(), meters);
    }

    @Bean
    CompletionService completionService(
            ModelRegistry registry,
            ImageFetcher fetcher,
            ImageDecoder decoder,
            PictureCache pictures,
            Scheduler preparationScheduler,
            Scheduler decodingScheduler) {
        return new EngineCompletionService(
                registry, fetcher, decoder, pictures, preparationScheduler, decodingScheduler);
    }
}
