package io.idefics.service;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.idefics.engine.SequenceRequest;
import io.idefics.engine.TokenConstraint;
import io.idefics.generation.Client;
import io.idefics.generation.ContentPart.ImageRef;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.OutputFormat;
import io.idefics.generation.OutputOptions;
import io.idefics.generation.Prompt;
import io.idefics.generation.StoppingCriteria;
import io.idefics.generation.Work;
import io.idefics.grammar.TokenGrammar;
import io.idefics.grammar.TokenGrammars;
import io.idefics.image.FetchBudget;
import io.idefics.image.IdeficsImageProcessor;
import io.idefics.image.ImageDecoder;
import io.idefics.image.ImageFetcher;
import io.idefics.model.ModelInput;
import io.idefics.model.PixelValues;
import io.idefics.processing.PreparedPrompt;
import io.idefics.service.ModelHost.Parts;
import io.idefics.tokenizer.IncrementalDecoder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;

/** Answers with the models of a {@link ModelRegistry}. */
public final class EngineCompletionService implements CompletionService {

    /** A prompt and the limits that it leaves. */
    private record Plan(PreparedPrompt prompt, int maxTokens, @Nullable TokenGrammar grammar) {

        Work work(GenerationRequest request) {
            long answerTokens = (long) maxTokens * request.output().bestOf();
            return new Work(prompt.inputIds().length, answerTokens, pictures(request.prompt(), prompt));
        }
    }

    private static final JsonMapper JSON = new JsonMapper();

    private final ModelRegistry registry;
    private final ImageFetcher fetcher;
    private final ImageDecoder decoder;
    private final PictureCache pictures;
    private final Scheduler workers;
    private final Scheduler decoding;

    /**
     * @param workers runs what takes time: tokenisation
     * @param decoding runs what also waits for memory: decoding and resizing of pictures
     */
    public EngineCompletionService(
            ModelRegistry registry,
            ImageFetcher fetcher,
            ImageDecoder decoder,
            PictureCache pictures,
            Scheduler workers,
            Scheduler decoding) {
        this.registry = registry;
        this.fetcher = fetcher;
        this.decoder = decoder;
        this.pictures = pictures;
        this.workers = workers;
        this.decoding = decoding;
    }

    @Override
    public Flux<GenerationEvent> complete(GenerationRequest request) {
        return Flux.defer(() -> prepare(request, budget(request.client())).flatMapMany(Function.identity()));
    }

    @Override
    public Mono<List<Flux<GenerationEvent>>> prepare(List<GenerationRequest> prompts, int atOnce) {
        return Mono.defer(() -> {
            FetchBudget budget = budget(prompts.get(0).client());
            return Flux.fromIterable(prompts)
                    .flatMapSequential(prompt -> prepare(prompt, budget), atOnce)
                    .collectList();
        });
    }

    private FetchBudget budget(Client client) {
        return fetcher.budget(client.name());
    }

    private Mono<Flux<GenerationEvent>> prepare(GenerationRequest request, FetchBudget budget) {
        return Mono.defer(() -> {
            ModelHost host = registry.ready(request.model());
            Parts parts = Objects.requireNonNull(host.parts());
            return Mono.fromCallable(() -> plan(request, parts)) // before any picture is fetched
                    .subscribeOn(workers)
                    .flatMap(plan -> reserved(request.client(), plan.work(request))
                            .then(images(request.prompt(), plan.prompt(), parts, request.client(), budget))
                            .map(images -> generate(request, host, parts, plan, images)
                                    .onErrorMap(GenerationException.class, e -> located(e, request.prompt()))));
        });
    }

    @Override
    public Mono<Classification> classify(
            String model, Prompt.Conversation conversation, List<String> answers, Client client) {
        return Mono.defer(() -> {
            ModelHost host = registry.ready(model);
            Parts parts = Objects.requireNonNull(host.parts());
            return Mono.fromCallable(() -> AnswerScores.of(conversation, answers, parts))
                    .subscribeOn(workers)
                    .flatMap(scores -> reserved(
                                    client, new Work(scores.tokens(), 0, pictures(conversation, scores.prompt())))
                            .then(images(conversation, scores.prompt(), parts, client, budget(client)))
                            .flatMap(images -> scores.compute(host.pool()::generate, images, client))
                            .doOnNext(answer ->
                                    client.account().charge(answer.usage().totalTokens())));
        });
    }

    @Override
    public Mono<RenderedPrompt> render(String model, Prompt prompt) {
        return Mono.defer(() -> {
            Parts parts = Objects.requireNonNull(registry.ready(model).parts());
            return Mono.fromCallable(() -> Prompts.render(prompt, parts)).subscribeOn(workers);
        });
    }

    @Override
    public Mono<RenderedPrompt> tokenize(String model, String text) {
        return Mono.defer(() -> {
            Parts parts = Objects.requireNonNull(registry.ready(model).parts());
            return Mono.fromCallable(
                            () -> Prompts.render(text, parts.tokenizer().encode(text), parts))
                    .subscribeOn(workers);
        });
    }

    @Override
    public Mono<String> detokenize(String model, List<Integer> ids, boolean skipSpecialTokens) {
        return Mono.defer(() -> {
            Parts parts = Objects.requireNonNull(registry.ready(model).parts());
            return Mono.fromCallable(() ->
                            parts.tokenizer().decode(Prompts.requireKnown(ids, "tokens", parts), skipSpecialTokens))
                    .subscribeOn(workers);
        });
    }

    @Override
    public List<ModelDescription> models() {
        return registry.hosts().stream()
                .map(ModelHost::parts)
                .filter(Objects::nonNull)
                .map(Parts::description)
                .toList();
    }

    @Override
    public boolean knows(String id) {
        return registry.hosts().stream().anyMatch(host -> host.id().equals(id));
    }

    /** Token ids, with the check of the context length. */
    private static Plan plan(GenerationRequest request, Parts parts) {
        StoppingCriteria stopping = request.stopping();
        int contextLength = parts.description().contextLength();
        boolean generates = stopping.maxTokens().orElse(1) > 0;
        PreparedPrompt prompt = Prompts.prepare(request.prompt(), generates ? contextLength - 1 : contextLength, parts);
        int promptTokens = prompt.inputIds().length;
        int limit = limit(stopping, contextLength, promptTokens, request.prompt());
        long wanted = Math.max(stopping.maxTokens().orElse(1), stopping.minTokens());
        if (promptTokens + wanted > contextLength) {
            throw new GenerationException(
                    ErrorType.CONTEXT_LENGTH_EXCEEDED,
                    "The context length of this model is " + contextLength + " tokens, but " + (promptTokens + wanted)
                            + " were requested: " + promptTokens + " in the prompt and " + wanted + " for the answer.",
                    Prompts.param(request.prompt()));
        }
        int room = limit - promptTokens;
        int maxTokens = Math.min(stopping.maxTokens().orElse(room), room);
        TokenGrammar grammar = maxTokens == 0 ? null : grammar(request.output(), parts);
        int least = grammar == null ? 0 : grammar.leastTokens() - 1; // without the one that ends the answer
        if (maxTokens < least) {
            throw new GenerationException(
                    ErrorType.INVALID_VALUE,
                    "The answer may have " + maxTokens + " tokens, but the shortest of the form that was asked for has "
                            + least + ".",
                    "max_tokens");
        }
        return new Plan(prompt, maxTokens, grammar);
    }

    /** What holds the answer to its form; null where it may be any text. */
    private static @Nullable TokenGrammar grammar(OutputOptions output, Parts parts) {
        OutputFormat format = output.format();
        if (format instanceof OutputFormat.Text && output.badWords().isEmpty()) {
            return null;
        }
        TokenGrammars grammars = parts.grammars();
        if (grammars == null) {
            throw new GenerationException(
                    ErrorType.UNSUPPORTED_PARAMETER, "This model cannot hold its answers to a form.", null);
        }
        if (format instanceof OutputFormat.JsonObject) {
            return grammars.jsonObject();
        }
        if (format instanceof OutputFormat.JsonSchema schema) {
            return grammars.schema(json(schema), schema.strict(), schema.param());
        }
        if (format instanceof OutputFormat.Regex regex) {
            return grammars.regex(regex.pattern(), regex.param());
        }
        return format instanceof OutputFormat.Choice choice
                ? grammars.choice(choice.choices(), choice.param())
                : grammars.without(output.badWords(), "bad_words");
    }

    private static JsonNode json(OutputFormat.JsonSchema schema) {
        try {
            return JSON.readTree(schema.schema()); // nothing at all is refused as a schema
        } catch (JsonProcessingException e) {
            throw new GenerationException(
                    ErrorType.INVALID_VALUE,
                    schema.param() + " must be a JSON Schema but is not JSON.",
                    schema.param());
        }
    }

    /** The most tokens of prompt and answer together. */
    private static int limit(StoppingCriteria stopping, int contextLength, int promptTokens, Prompt prompt) {
        int maxLength = stopping.maxLength().orElse(contextLength);
        if (promptTokens + Math.min(1, stopping.maxTokens().orElse(1)) > maxLength) {
            throw new GenerationException(
                    ErrorType.INVALID_VALUE,
                    "The prompt has " + promptTokens + " tokens, which leaves no room within the max_length of "
                            + maxLength + ".",
                    Prompts.param(prompt));
        }
        return Math.min(maxLength, contextLength);
    }

    /** A failure of the engine, which does not know where in the request the prompt is that has no room. */
    private static GenerationException located(GenerationException failure, Prompt prompt) {
        boolean isOfPrompt =
                failure.type() == ErrorType.CONTEXT_LENGTH_EXCEEDED || failure.type() == ErrorType.INVALID_VALUE;
        return isOfPrompt && failure.param() == null
                ? new GenerationException(
                        failure.type(), String.valueOf(failure.getMessage()), Prompts.param(prompt), failure)
                : failure;
    }

    /** Completes when the client has room for the work; nothing of it is done before. */
    private static Mono<Void> reserved(Client client, Work work) {
        return Mono.fromCompletionStage(() -> client.account().reserve(work));
    }

    /** How many pictures the prompt still has. */
    private static int pictures(Prompt prompt, PreparedPrompt prepared) {
        return prompt.images().size() - prepared.firstImage();
    }

    /**
     * The pictures that the prompt still has, in its order; they are fetched at once and decoded as they come. While a
     * picture comes from elsewhere, the request waits.
     */
    private Mono<List<PixelValues>> images(
            Prompt prompt, PreparedPrompt prepared, Parts parts, Client client, FetchBudget budget) {
        List<ImageRef> all = prompt.images();
        List<ImageRef> refs = all.subList(prepared.firstImage(), all.size());
        Mono<List<PixelValues>> images = Flux.fromIterable(refs)
                .flatMapSequential(
                        ref -> fetcher.fetch(ref, budget).flatMap(bytes -> decoded(bytes, ref, parts.imageProcessor())),
                        Math.max(refs.size(), 1))
                .collectList();
        if (refs.stream().noneMatch(ImageFetcher::isRemote)) {
            return images;
        }
        return Mono.defer(() -> {
            client.account().beginWait();
            return images.doOnNext(whole -> client.account().endWait());
        });
    }

    private Mono<PixelValues> decoded(byte[] bytes, ImageRef ref, IdeficsImageProcessor processor) {
        return Mono.fromCallable(() -> pixelValues(bytes, ref, processor))
                .subscribeOn(decoding)
                .onErrorMap(
                        RejectedExecutionException.class,
                        e -> new GenerationException(
                                ErrorType.OVERLOADED, "too many pictures wait to be decoded", ref.param(), e));
    }

    private PixelValues pixelValues(byte[] bytes, ImageRef ref, IdeficsImageProcessor processor) {
        return pictures.get(
                bytes,
                processor,
                () -> decoder.decode(
                        bytes,
                        ref.param(),
                        image -> new PixelValues(processor.pixelValues(image), processor.imageSize())));
    }

    /** All choices; they share the prompt, so that the engine runs it once. */
    private static Flux<GenerationEvent> generate(
            GenerationRequest request, ModelHost host, Parts parts, Plan plan, List<PixelValues> images) {
        PreparedPrompt prompt = plan.prompt();
        OutputOptions output = request.output();
        ModelInput input = new ModelInput(prompt.inputIds(), prompt.imageIndex(), images);
        TokenTexts texts = new TokenTexts(parts.tokenizer());
        Ending ending = ending(request.stopping(), parts, isHeld(request));
        boolean tellsLogprobs = output.topLogprobs() >= 0;
        PromptText promptText = output.echo() ? PromptText.of(prompt.inputIds(), texts) : null;
        int offset = promptText == null ? 0 : promptText.length();
        List<Choice> choices = IntStream.range(0, output.bestOf())
                .mapToObj(index -> new Choice(
                        index,
                        texts,
                        ending,
                        new TextStream(decoder(request, parts), ending.strings(), ending.isText()),
                        tellsLogprobs,
                        offset))
                .toList();
        Function<Choice, GenerationEvent.PromptRead> echo =
                promptText == null ? null : choice -> promptText.told(choice.promptLogprobs(), tellsLogprobs, texts);
        TokenMeter meter = new TokenMeter(request.client().account(), prompt.inputIds().length);
        return meter.charged(new Answer(choices, output.choices(), echo, prompt.inputIds().length, prompt.imageTokens())
                .events(index ->
                        meter.counted(host.pool().generate(sequence(request, index, parts, plan, ending, input)))));
    }

    /** Whether the answer has a form, which also says where it ends. */
    private static boolean isHeld(GenerationRequest request) {
        return !(request.output().format() instanceof OutputFormat.Text);
    }

    /** Whether the answer is a text of its own, without a space at its beginning; otherwise it goes on from the prompt. */
    private static boolean begins(GenerationRequest request) {
        return isHeld(request)
                || request.prompt() instanceof Prompt.Conversation conversation && !conversation.continueFinalMessage();
    }

    private static IncrementalDecoder decoder(GenerationRequest request, Parts parts) {
        return begins(request)
                ? parts.tokenizer().incrementalDecoder()
                : parts.tokenizer().continuingDecoder();
    }

    private static @Nullable TokenConstraint constraint(GenerationRequest request, @Nullable TokenGrammar grammar) {
        if (grammar == null) {
            return null;
        }
        return begins(request) ? grammar.constraint() : grammar.continuingConstraint();
    }

    private static Ending ending(StoppingCriteria stopping, Parts parts, boolean constrained) {
        Set<Integer> ids = new HashSet<>(stopping.stopTokenIds());
        if (!stopping.ignoreEnd() || constrained) {
            ids.addAll(parts.stopIds());
        }
        Map<Integer, String> names = new HashMap<>();
        List<String> strings = new ArrayList<>();
        for (String stop : stopping.stop()) {
            OptionalInt special = parts.tokenizer().specialId(stop);
            if (special.isPresent()) {
                names.put(special.getAsInt(), stop);
            } else {
                strings.add(stop);
            }
        }
        ids.addAll(names.keySet());
        return new Ending(ids, names, strings, stopping.includeStop());
    }

    private static SequenceRequest sequence(
            GenerationRequest request, int choice, Parts parts, Plan plan, Ending ending, ModelInput input) {
        OutputOptions output = request.output();
        boolean ranked = output.bestOf() > output.choices();
        boolean tellsPrompt = output.echo() && output.topLogprobs() >= 0 && choice == 0 && input.inputIds().length > 1;
        IntStream unwanted = request.stopping().ignoreEnd()
                ? parts.stopIds().stream().mapToInt(Integer::intValue).filter(id -> !ending.ids()
                        .contains(id))
                : IntStream.empty();
        return new SequenceRequest(
                input,
                request.sampling().forChoice(choice),
                plan.maxTokens(),
                request.stopping().minTokens(),
                ending.ids(),
                IntStream.concat(Arrays.stream(parts.bannedIds()), unwanted).toArray(),
                ranked ? Math.max(0, output.topLogprobs()) : output.topLogprobs(),
                tellsPrompt ? 1 : SequenceRequest.NO_LOGPROBS,
                constraint(request, plan.grammar()),
                request.client().name(),
                request.client().priority(),
                null);
    }
}
