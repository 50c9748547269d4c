package io.idefics.bench;

import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.Message;
import io.idefics.generation.SamplingParams;
import io.idefics.generation.StoppingCriteria;
import io.idefics.generation.Usage;
import io.idefics.service.CompletionService;
import io.idefics.service.ModelHost;
import io.idefics.service.ModelRegistry;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.SpringApplication;
import org.springframework.context.ConfigurableApplicationContext;

/** The service of this program without its HTTP interface: what HTTP costs is the difference to an {@link HttpTarget}. */
final class InProcessTarget implements Target {

    private final ConfigurableApplicationContext context;
    private final CompletionService service;
    private final Workload workload;
    private final String model;

    private InProcessTarget(ConfigurableApplicationContext context, String model, Workload workload) {
        this.context = context;
        this.service = context.getBean(CompletionService.class);
        this.model = model;
        this.workload = workload;
    }

    /**
     * Starts the application without a web server and waits for a model.
     *
     * @param application the class with the configuration
     * @param arguments settings for it, as in {@code --idefics.models[0].path=/models/idefics-9b-instruct}
     * @param model null takes the first one
     * @throws TargetException if the application does not start or the model cannot be loaded
     */
    static InProcessTarget start(
            Class<?> application, List<String> arguments, @Nullable String model, Workload workload) {
        ConfigurableApplicationContext context = context(application, arguments);
        try {
            ModelRegistry registry = context.getBean(ModelRegistry.class);
            ModelHost host = registry.hosts().stream()
                    .filter(h -> model == null || h.id().equals(model))
                    .findFirst()
                    .orElseThrow(() -> new TargetException("The model '" + model + "' is not configured; configured: "
                            + registry.hosts().stream().map(ModelHost::id).toList()));
            awaitReady(host);
            return new InProcessTarget(context, host.id(), workload);
        } catch (RuntimeException e) {
            context.close();
            throw e;
        }
    }

    @Override
    public String name() {
        return "in-process";
    }

    @Override
    public String model() {
        return model;
    }

    @Override
    public Call prepare(List<Message> messages) {
        Integer minTokens = workload.minTokens();
        StoppingCriteria stopping = new StoppingCriteria(
                OptionalInt.of(workload.maxTokens()), minTokens == null ? 0 : minTokens, List.of());
        GenerationRequest request = new GenerationRequest(model, messages, sampling(), stopping, 1, -1);
        return listener -> service.complete(request)
                .subscribe(
                        event -> tell(event, listener),
                        error -> listener.failed(status(error), String.valueOf(error.getMessage())))::dispose;
    }

    @Override
    public void close() {
        context.close();
    }

    private SamplingParams sampling() {
        OptionalLong seed = workload.temperature() > 0 ? OptionalLong.of(workload.seed()) : OptionalLong.empty();
        return new SamplingParams(workload.temperature(), 1, 0, 0, 1, 1, 0, 0, Map.of(), seed);
    }

    private static void tell(GenerationEvent event, AnswerListener listener) {
        if (event instanceof TextDelta delta) {
            listener.text(delta.text());
        } else if (event instanceof Completed completed) {
            Usage usage = completed.usage();
            listener.usage(new TokenUsage(usage.promptTokens(), usage.cachedTokens(), usage.completionTokens()));
            listener.completed();
        }
    }

    private static String status(Throwable error) {
        return error instanceof GenerationException e ? e.type().name().toLowerCase(Locale.ROOT) : "internal";
    }

    private static ConfigurableApplicationContext context(Class<?> application, List<String> arguments) {
        SpringApplication spring = new SpringApplication(application);
        spring.setMainApplicationClass(application);
        // At Ctrl-C the requests that are running must not be counted as failed because their engine is gone.
        spring.setRegisterShutdownHook(false);
        String[] all = new String[arguments.size() + 1];
        arguments.toArray(all);
        all[arguments.size()] = "--spring.main.web-application-type=none";
        try {
            return spring.run(all);
        } catch (RuntimeException e) {
            throw new TargetException("The application does not start: " + e.getMessage(), e);
        }
    }

    private static void awaitReady(ModelHost host) {
        try {
            host.ready().join();
        } catch (CompletionException e) {
            throw new TargetException("The model " + host.id() + " cannot be served: " + host.failure(), e);
        }
    }
}
