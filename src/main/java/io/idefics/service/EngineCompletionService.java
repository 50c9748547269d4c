package io.idefics.service;

import io.idefics.engine.SequenceRequest;
import io.idefics.generation.ContentPart.ImageRef;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.GenerationRequest;
import io.idefics.image.IdeficsImageProcessor;
import io.idefics.image.ImageDecoder;
import io.idefics.image.ImageFetcher;
import io.idefics.model.ModelInput;
import io.idefics.model.PixelValues;
import io.idefics.processing.PreparedPrompt;
import io.idefics.processing.PromptTemplate;
import io.idefics.service.ModelHost.Parts;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;

/** Answers with the models of a {@link ModelRegistry}. */
public final class EngineCompletionService implements CompletionService {

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
                    int maxTokens = Math.max(
                            request.stopping().maxTokens().orElse(1),
                            request.stopping().minTokens());
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
        return pictures.get(
                bytes,
                processor,
                () -> new PixelValues(
                        processor.pixelValues(decoder.decode(bytes, ref.param())), processor.imageSize()));
    }

    /** All choices; they share the prompt, so that the engine runs it once. */
    private Flux<GenerationEvent> generate(
            GenerationRequest request, ModelHost host, Parts parts, PreparedPrompt prompt, List<PixelValues> images) {
        ModelInput input = new ModelInput(prompt.inputIds(), prompt.imageIndex(), images);
        List<Choice> choices = IntStream.range(0, request.choices())
                .mapToObj(index -> new Choice(
                        index,
                        parts.tokenizer(),
                        parts.stopIds(),
                        request.stopping().stop()))
                .toList();
        return new Answer(choices, prompt.inputIds().length, prompt.imageTokens())
                .events(index -> host.pool().generate(sequence(request, index, parts, input)));
    }

    private static SequenceRequest sequence(GenerationRequest request, int choice, Parts parts, ModelInput input) {
        int room = parts.description().contextLength() - input.inputIds().length;
        return new SequenceRequest(
                input,
                request.sampling().forChoice(choice),
                request.stopping().maxTokens().orElse(room),
                request.stopping().minTokens(),
                parts.stopIds(),
                parts.bannedIds(),
                request.topLogprobs(),
                request.client(),
                null);
    }
}
