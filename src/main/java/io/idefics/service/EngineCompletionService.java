package io.idefics.service;

import io.idefics.engine.SequenceEvent;
import io.idefics.engine.SequenceRequest;
import io.idefics.generation.ContentPart.ImageRef;
import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.Usage;
import io.idefics.image.IdeficsImageProcessor;
import io.idefics.image.ImageDecoder;
import io.idefics.image.ImageFetcher;
import io.idefics.model.ModelInput;
import io.idefics.model.PixelValues;
import io.idefics.processing.PreparedPrompt;
import io.idefics.processing.PromptTemplate;
import io.idefics.service.ModelHost.Parts;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/** Answers with the models of a {@link ModelRegistry}. */
public final class EngineCompletionService implements CompletionService {

    private final ModelRegistry registry;
    private final ImageFetcher fetcher;
    private final ImageDecoder decoder;
    private final Scheduler workers;

    /** @param workers runs what takes time and may block: tokenisation, decoding and resizing of pictures */
    public EngineCompletionService(
            ModelRegistry registry, ImageFetcher fetcher, ImageDecoder decoder, Scheduler workers) {
        this.registry = registry;
        this.fetcher = fetcher;
        this.decoder = decoder;
        this.workers = workers;
    }

    @Override
    public Flux<GenerationEvent> complete(GenerationRequest request) {
        return Flux.defer(() -> {
            ModelHost host = registry.ready(request.model());
            Parts parts = Objects.requireNonNull(host.parts());
            return prompt(request, parts).flatMapMany(prompt -> images(request, parts)
                    .flatMapMany(images -> generate(request, host, parts, prompt, images)));
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

    /** Token ids, with the check of the context length: before any picture is fetched. */
    private Mono<PreparedPrompt> prompt(GenerationRequest request, Parts parts) {
        return Mono.fromCallable(() -> {
                    int contextLength = parts.description().contextLength();
                    var items = parts.template().items(request.messages());
                    PreparedPrompt prompt = parts.processor().prepare(items, contextLength - 1);
                    int promptTokens = prompt.inputIds().length;
                    int maxTokens = request.stopping().maxTokens().orElse(1);
                    if (promptTokens + (long) maxTokens > contextLength) {
                        throw new GenerationException(
                                ErrorType.CONTEXT_LENGTH_EXCEEDED,
                                "The context length of this model is " + contextLength + " tokens, but "
                                        + (promptTokens + (long) maxTokens) + " were requested: " + promptTokens
                                        + " in the messages and " + maxTokens + " for the answer.",
                                "messages");
                    }
                    return prompt;
                })
                .subscribeOn(workers);
    }

    /** All pictures in prompt order; they are fetched at once and decoded as they come. */
    private Mono<List<PixelValues>> images(GenerationRequest request, Parts parts) {
        List<ImageRef> refs = PromptTemplate.images(request.messages());
        return Flux.fromIterable(refs)
                .flatMapSequential(
                        ref -> fetcher.fetch(ref)
                                .publishOn(workers)
                                .map(bytes -> pixelValues(bytes, ref, parts.imageProcessor())),
                        Math.max(refs.size(), 1))
                .collectList();
    }

    private PixelValues pixelValues(byte[] bytes, ImageRef ref, IdeficsImageProcessor processor) {
        return new PixelValues(processor.pixelValues(decoder.decode(bytes, ref.param())), processor.imageSize());
    }

    private Flux<GenerationEvent> generate(
            GenerationRequest request, ModelHost host, Parts parts, PreparedPrompt prompt, List<PixelValues> images) {
        int promptTokens = prompt.inputIds().length;
        int maxTokens =
                request.stopping().maxTokens().orElse(parts.description().contextLength() - promptTokens);
        SequenceRequest sequence = new SequenceRequest(
                new ModelInput(prompt.inputIds(), prompt.imageIndex(), images),
                request.sampling(),
                maxTokens,
                parts.stopIds(),
                parts.bannedIds());
        Answer answer = new Answer(request, parts, prompt);
        return host.engine()
                .generate(sequence)
                .ofType(SequenceEvent.Token.class)
                .map(SequenceEvent.Token::id)
                .publishOn(Schedulers.parallel())
                .concatMapIterable(answer::append)
                .concatWith(Flux.defer(() -> Flux.fromIterable(answer.finish())))
                .takeUntil(Completed.class::isInstance);
    }

    /** Turns the tokens of one answer into events. */
    private static final class Answer {

        private final TextStream text;
        private final Parts parts;
        private final PreparedPrompt prompt;
        private int tokens;
        private boolean ended;

        Answer(GenerationRequest request, Parts parts, PreparedPrompt prompt) {
            this.text = new TextStream(
                    parts.tokenizer().incrementalDecoder(), request.stopping().stop());
            this.parts = parts;
            this.prompt = prompt;
        }

        List<GenerationEvent> append(int id) {
            tokens++;
            if (parts.stopIds().contains(id)) {
                ended = true;
                return List.of();
            }
            List<GenerationEvent> events = deltas(text.append(id));
            if (text.stopped()) {
                events.addAll(completed(FinishReason.STOP));
            }
            return events;
        }

        List<GenerationEvent> finish() {
            List<GenerationEvent> events = deltas(text.finish());
            events.addAll(completed(ended || text.stopped() ? FinishReason.STOP : FinishReason.LENGTH));
            return events;
        }

        private List<GenerationEvent> completed(FinishReason reason) {
            Usage usage = new Usage(prompt.inputIds().length, 0, prompt.imageTokens(), tokens);
            return List.of(new ChoiceEnded(0, reason), new Completed(usage));
        }

        private static List<GenerationEvent> deltas(String text) {
            List<GenerationEvent> events = new ArrayList<>();
            if (!text.isEmpty()) {
                events.add(new TextDelta(0, text));
            }
            return events;
        }
    }
}
