package io.idefics.service;

import io.idefics.engine.SequenceEvent;
import io.idefics.engine.SequenceRequest;
import io.idefics.engine.TokenConstraint;
import io.idefics.engine.TokenLogprobs;
import io.idefics.generation.ContentPart;
import io.idefics.generation.ContentPart.ImageRef;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.Message;
import io.idefics.generation.OutputOptions;
import io.idefics.generation.Prompt;
import io.idefics.generation.Role;
import io.idefics.generation.SamplingParams;
import io.idefics.generation.StoppingCriteria;
import io.idefics.generation.Usage;
import io.idefics.image.IdeficsImageProcessor;
import io.idefics.image.ImageDecoder;
import io.idefics.image.ImageFetcher;
import io.idefics.model.ModelInput;
import io.idefics.model.PixelValues;
import io.idefics.processing.PreparedPrompt;
import io.idefics.processing.PromptItem;
import io.idefics.service.Classification.Score;
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
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;

/** Answers with the models of a {@link ModelRegistry}. */
public final class EngineCompletionService implements CompletionService {

    /** A prompt and the limits that it leaves. */
    private record Plan(PreparedPrompt prompt, int maxTokens, @Nullable Supplier<TokenConstraint> constraints) {}

    private final ModelRegistry registry;
    private final ImageFetcher fetcher;
    private final ImageDecoder decoder;
    private final PictureCache pictures;
    private final Scheduler workers;

    /** @param workers runs what takes time and may block: tokenisation, decoding and resizing of pictures */
    public EngineCompletionService(
            ModelRegistry registry,
            ImageFetcher fetcher,
            ImageDecoder decoder,
            PictureCache pictures,
            Scheduler workers) {
        this.registry = registry;
        this.fetcher = fetcher;
        this.decoder = decoder;
        this.pictures = pictures;
        this.workers = workers;
    }

    @Override
    public Flux<GenerationEvent> complete(GenerationRequest request) {
        return Flux.defer(() -> {
            ModelHost host = registry.ready(request.model());
            Parts parts = Objects.requireNonNull(host.parts());
            return Mono.fromCallable(() -> plan(request, parts)) // before any picture is fetched
                    .subscribeOn(workers)
                    .flatMapMany(plan -> images(request.prompt(), plan.prompt(), parts)
                            .flatMapMany(images -> generate(request, host, parts, plan, images)));
        });
    }

    @Override
    public Mono<Classification> classify(
            String model, Prompt.Conversation conversation, List<String> answers, String client) {
        return Mono.defer(() -> {
            ModelHost host = registry.ready(model);
            Parts parts = Objects.requireNonNull(host.parts());
            return Mono.fromCallable(() -> candidates(conversation, answers, parts))
                    .subscribeOn(workers)
                    .flatMap(candidates -> images(conversation, candidates.prompt(), parts)
                            .flatMap(images -> score(candidates, host, images, client)))
                    .map(scores -> classification(answers, scores));
        });
    }

    @Override
    public Mono<RenderedPrompt> render(String model, Prompt prompt) {
        return Mono.defer(() -> {
            Parts parts = Objects.requireNonNull(registry.ready(model).parts());
            return Mono.fromCallable(() ->
                            rendered(prepared(prompt, Integer.MAX_VALUE, parts).inputIds(), parts))
                    .subscribeOn(workers);
        });
    }

    @Override
    public Mono<RenderedPrompt> tokenize(String model, String text) {
        return Mono.defer(() -> {
            Parts parts = Objects.requireNonNull(registry.ready(model).parts());
            return Mono.fromCallable(() -> rendered(parts.tokenizer().encode(text), parts))
                    .subscribeOn(workers);
        });
    }

    @Override
    public Mono<String> detokenize(String model, List<Integer> ids, boolean skipSpecialTokens) {
        return Mono.defer(() -> {
            Parts parts = Objects.requireNonNull(registry.ready(model).parts());
            return Mono.fromCallable(
                            () -> parts.tokenizer().decode(requireKnown(ids, "tokens", parts), skipSpecialTokens))
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
        PreparedPrompt prompt = prepared(request.prompt(), generates ? contextLength - 1 : contextLength, parts);
        int promptTokens = prompt.inputIds().length;
        int limit = limit(stopping, contextLength, promptTokens, request.prompt());
        long wanted = Math.max(stopping.maxTokens().orElse(1), stopping.minTokens());
        if (promptTokens + wanted > contextLength) {
            throw new GenerationException(
                    ErrorType.CONTEXT_LENGTH_EXCEEDED,
                    "The context length of this model is " + contextLength + " tokens, but " + (promptTokens + wanted)
                            + " were requested: " + promptTokens + " in the prompt and " + wanted + " for the answer.",
                    param(request.prompt()));
        }
        int room = limit - promptTokens;
        int maxTokens = Math.min(stopping.maxTokens().orElse(room), room);
        return new Plan(prompt, maxTokens, null);
    }

    /** The most tokens of prompt and answer together. */
    private static int limit(StoppingCriteria stopping, int contextLength, int promptTokens, Prompt prompt) {
        int maxLength = stopping.maxLength().orElse(contextLength);
        if (promptTokens + Math.min(1, stopping.maxTokens().orElse(1)) > maxLength) {
            throw new GenerationException(
                    ErrorType.INVALID_VALUE,
                    "The prompt has " + promptTokens + " tokens, which leaves no room within the max_length of "
                            + maxLength + ".",
                    param(prompt));
        }
        return Math.min(maxLength, contextLength);
    }

    private static PreparedPrompt prepared(Prompt prompt, int maxTokens, Parts parts) {
        if (prompt instanceof Prompt.Conversation conversation) {
            List<PromptItem> items =
                    parts.template().items(conversation.messages(), conversation.continueFinalMessage());
            return parts.processor().prepare(items, maxTokens);
        }
        if (prompt instanceof Prompt.Interleaved interleaved) {
            List<PromptItem> items = interleaved.parts().stream()
                    .<PromptItem>map(part -> part instanceof ContentPart.Text text
                            ? new PromptItem.Text(text.text())
                            : new PromptItem.Image())
                    .toList();
            return parts.processor()
                    .prepareVerbatim(
                            items,
                            interleaved.addEndOfUtteranceToken(),
                            interleaved.truncateTo(),
                            maxTokens,
                            interleaved.param());
        }
        Prompt.TokenIds tokens = (Prompt.TokenIds) prompt;
        int[] ids = requireKnown(tokens.ids(), tokens.param(), parts);
        if (tokens.ids().size() > maxTokens) {
            throw new GenerationException(
                    ErrorType.CONTEXT_LENGTH_EXCEEDED,
                    "The prompt has " + tokens.ids().size() + " tokens, but at most " + maxTokens + " fit.",
                    tokens.param());
        }
        return parts.processor().prepareIds(ids);
    }

    private static int[] requireKnown(List<Integer> ids, String param, Parts parts) {
        int maxId = parts.tokenizer().maxId();
        for (int id : ids) {
            if (id < 0 || id > maxId) {
                throw new GenerationException(
                        ErrorType.INVALID_VALUE,
                        param + " has the token id " + id + " but ids must lie between 0 and " + maxId + ".",
                        param);
            }
        }
        return ids.stream().mapToInt(Integer::intValue).toArray();
    }

    private static String param(Prompt prompt) {
        if (prompt instanceof Prompt.Interleaved interleaved) {
            return interleaved.param();
        }
        return prompt instanceof Prompt.TokenIds tokens ? tokens.param() : "messages";
    }

    /** The pictures that the prompt still has, in its order; they are fetched at once and decoded as they come. */
    private Mono<List<PixelValues>> images(Prompt prompt, PreparedPrompt prepared, Parts parts) {
        List<ImageRef> all = prompt.images();
        List<ImageRef> refs = all.subList(prepared.firstImage(), all.size());
        return Flux.fromIterable(refs)
                .flatMapSequential(
                        ref -> fetcher.fetch(ref)
                                .publishOn(workers)
                                .map(bytes -> pixelValues(bytes, ref, parts.imageProcessor())),
                        Math.max(refs.size(), 1))
                .collectList();
    }

    private PixelValues pixelValues(byte[] bytes, ImageRef ref, IdeficsImageProcessor processor) {
        return pictures.get(
                bytes,
                processor,
                () -> new PixelValues(
                        processor.pixelValues(decoder.decode(bytes, ref.param())), processor.imageSize()));
    }

    /** All choices; they share the prompt, so that the engine runs it once. */
    private static Flux<GenerationEvent> generate(
            GenerationRequest request, ModelHost host, Parts parts, Plan plan, List<PixelValues> images) {
        PreparedPrompt prompt = plan.prompt();
        OutputOptions output = request.output();
        ModelInput input = new ModelInput(prompt.inputIds(), prompt.imageIndex(), images);
        TokenTexts texts = new TokenTexts(parts.tokenizer());
        Ending ending = ending(request.stopping(), parts, plan.constraints() != null);
        boolean tellsLogprobs = output.topLogprobs() >= 0;
        PromptText promptText = output.echo() ? PromptText.of(prompt.inputIds(), texts) : null;
        int offset = promptText == null ? 0 : promptText.length();
        List<Choice> choices = IntStream.range(0, output.bestOf())
                .mapToObj(index -> new Choice(
                        index,
                        texts,
                        ending,
                        new TextStream(decoder(request, parts, plan), ending.strings(), ending.isText()),
                        tellsLogprobs,
                        offset))
                .toList();
        Function<Choice, GenerationEvent.PromptRead> echo =
                promptText == null ? null : choice -> promptText.told(choice.promptLogprobs(), tellsLogprobs, texts);
        return new Answer(choices, output.choices(), echo, prompt.inputIds().length, prompt.imageTokens())
                .events(index -> host.pool().generate(sequence(request, index, parts, plan, ending, input)));
    }

    /** An answer that goes on from a text keeps its leading space; one of a certain form has none. */
    private static IncrementalDecoder decoder(GenerationRequest request, Parts parts, Plan plan) {
        boolean begins =
                request.prompt() instanceof Prompt.Conversation conversation && !conversation.continueFinalMessage();
        return begins || plan.constraints() != null
                ? parts.tokenizer().incrementalDecoder()
                : parts.tokenizer().continuingDecoder();
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
                plan.constraints() == null ? null : plan.constraints().get(),
                request.client(),
                null);
    }

    private static RenderedPrompt rendered(int[] ids, Parts parts) {
        TokenTexts texts = new TokenTexts(parts.tokenizer());
        int image = parts.tokenizer().specialTokens().image();
        int fake = parts.tokenizer().specialTokens().fakeTokenAroundImage();
        List<RenderedPrompt.Token> tokens = Arrays.stream(ids)
                .mapToObj(id -> new RenderedPrompt.Token(id, texts.text(id), !texts.hasText(id)))
                .toList();
        int imageTokens =
                (int) Arrays.stream(ids).filter(id -> id == image || id == fake).count();
        return new RenderedPrompt(
                parts.tokenizer().decode(ids, false),
                tokens,
                imageTokens,
                parts.description().contextLength());
    }

    /**
     * A conversation with each of its answers.
     *
     * @param prompt the conversation alone
     * @param ids the tokens with each answer, the end of the turn included where the model has it, (answers, T)
     * @param imageIndex which picture each of them sees, (answers, T)
     * @param from where the answers begin
     */
    private record Candidates(PreparedPrompt prompt, List<int[]> ids, List<int[]> imageIndex, int from) {}

    private static Candidates candidates(Prompt.Conversation conversation, List<String> answers, Parts parts) {
        int contextLength = parts.description().contextLength();
        PreparedPrompt prompt = prepared(conversation, contextLength - 1, parts);
        OptionalInt endOfUtterance = parts.tokenizer().specialTokens().endOfUtterance();
        List<int[]> all = new ArrayList<>();
        List<int[]> imageIndex = new ArrayList<>();
        int from = prompt.inputIds().length;
        for (String answer : answers) {
            List<Message> messages = new ArrayList<>(conversation.messages());
            messages.add(new Message(Role.ASSISTANT, List.of(new ContentPart.Text(answer))));
            int room = contextLength - (endOfUtterance.isPresent() ? 1 : 0);
            PreparedPrompt whole = prepared(new Prompt.Conversation(messages, true), room, parts);
            int[] ids = IntStream.concat(Arrays.stream(whole.inputIds()), endOfUtterance.stream())
                    .toArray();
            int[] index = Arrays.copyOf(whole.imageIndex(), ids.length);
            index[ids.length - 1] = index[whole.inputIds().length - 1];
            int mismatch = Arrays.mismatch(prompt.inputIds(), ids);
            from = Math.min(from, mismatch < 0 ? from : mismatch);
            all.add(ids);
            imageIndex.add(index);
        }
        return new Candidates(prompt, all, imageIndex, from);
    }

    /** What became of one answer. */
    private record Scored(double logprob, int tokens, Usage usage) {}

    private static Mono<List<Scored>> score(
            Candidates candidates, ModelHost host, List<PixelValues> images, String client) {
        // The first one alone, so that the others find the conversation in the cache.
        Mono<Scored> first = score(candidates, 0, host, images, client);
        Flux<Scored> others = Flux.range(1, candidates.ids().size() - 1)
                .flatMapSequential(index -> score(candidates, index, host, images, client));
        return first.concatWith(others).collectList();
    }

    private static Mono<Scored> score(
            Candidates candidates, int index, ModelHost host, List<PixelValues> images, String client) {
        int[] ids = candidates.ids().get(index);
        int from = Math.min(candidates.from(), ids.length - 1);
        SequenceRequest request = new SequenceRequest(
                new ModelInput(ids, candidates.imageIndex().get(index), images),
                SamplingParams.GREEDY,
                0,
                0,
                Set.of(),
                new int[0],
                SequenceRequest.NO_LOGPROBS,
                from,
                null,
                client,
                null);
        return host.pool()
                .generate(request)
                .ofType(SequenceEvent.Prefilled.class)
                .next()
                .map(prefilled -> new Scored(
                        prefilled.promptLogprobs().stream()
                                .mapToDouble(TokenLogprobs::logprob)
                                .sum(),
                        ids.length - from,
                        new Usage(
                                candidates.prompt().inputIds().length,
                                Math.min(
                                        prefilled.cachedTokens(),
                                        candidates.prompt().inputIds().length),
                                candidates.prompt().imageTokens(),
                                0)));
    }

    private static Classification classification(List<String> answers, List<Scored> scored) {
        double max = scored.stream().mapToDouble(Scored::logprob).max().orElse(0);
        double sum = scored.stream()
                .mapToDouble(score -> Math.exp(score.logprob() - max))
                .sum();
        List<Score> scores = IntStream.range(0, answers.size())
                .mapToObj(index -> {
                    Scored score = scored.get(index);
                    return new Score(
                            answers.get(index), score.logprob(), Math.exp(score.logprob() - max) / sum, score.tokens());
                })
                .toList();
        Usage usage = scored.get(0).usage();
        int tokens = scored.stream().mapToInt(Scored::tokens).sum();
        return new Classification(
                scores, new Usage(usage.promptTokens() + tokens, usage.cachedTokens(), usage.imageTokens(), 0));
    }
}
