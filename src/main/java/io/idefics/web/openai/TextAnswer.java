package io.idefics.web.openai;

import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.PromptRead;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.TokenLogprob;
import io.idefics.generation.Usage;
import io.idefics.web.Frame;
import io.idefics.web.openai.TextCompletion.WithUsage;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * The answers to all prompts of a request on their way to the client.
 *
 * @param id the id of the answer
 * @param created when it was begun, in seconds since the epoch
 * @param request what was asked for
 * @param fingerprint the fingerprint of the model; null where the model is not ready
 */
record TextAnswer(String id, long created, TextCompletionRequest request, @Nullable String fingerprint) {

    /**
     * An event of the answer to one of the prompts.
     *
     * @param prompt the index of the prompt
     */
    record Part(int prompt, GenerationEvent event) {}

    static TextAnswer begin(TextCompletionRequest request, @Nullable String fingerprint) {
        String id = "cmpl-" + UUID.randomUUID().toString().replace("-", "");
        return new TextAnswer(id, Instant.now().getEpochSecond(), request, fingerprint);
    }

    /** The events folded into one answer. */
    Mono<WithUsage> fold(Flux<Part> parts) {
        return parts.collect(Whole::new, Whole::add).map(Whole::completion);
    }

    /** The events as chunks, and where asked for the usage of all prompts together. */
    Flux<Frame> chunks(Flux<Part> parts) {
        return Flux.defer(() -> {
            List<Usage> usages = new ArrayList<>();
            // A failure must not overtake the text before it.
            return parts.concatMapDelayError(part -> {
                        if (part.event() instanceof Completed completed) {
                            usages.add(completed.usage());
                        }
                        return Flux.fromStream(choices(part)).map(this::chunk);
                    })
                    .concatWith(Mono.fromSupplier(() -> usageChunk(usages)).filter(chunk -> request.includeUsage()))
                    .map(Frame::of);
        });
    }

    private Object chunk(TextCompletion.Choice choice) {
        TextCompletion chunk = completion(List.of(choice));
        return request.includeUsage() ? new WithUsage(chunk, null) : chunk;
    }

    private Object usageChunk(List<Usage> usages) {
        return new WithUsage(completion(List.of()), UsageObject.of(sum(usages)));
    }

    /** What an event adds to choices; the prompt begins all that answer it. */
    private Stream<TextCompletion.Choice> choices(Part part) {
        int first = part.prompt() * choicesPerPrompt();
        if (part.event() instanceof PromptRead prompt) {
            TextLogprobs logprobs = logprobs(prompt.logprobs());
            return IntStream.range(first, first + choicesPerPrompt())
                    .mapToObj(index -> new TextCompletion.Choice(index, prompt.text(), logprobs, null));
        }
        if (part.event() instanceof TextDelta delta) {
            return Stream.of(
                    new TextCompletion.Choice(first + delta.choice(), delta.text(), logprobs(delta.logprobs()), null));
        }
        if (part.event() instanceof ChoiceEnded end) {
            TextLogprobs logprobs = end.end() == null ? null : logprobs(List.of(end.end()));
            return Stream.of(
                    new TextCompletion.Choice(first + end.choice(), "", logprobs, Completion.name(end.reason())));
        }
        return Stream.empty();
    }

    private @Nullable TextLogprobs logprobs(List<TokenLogprob> told) {
        return told.isEmpty() ? null : TextLogprobs.of(told, request.idsAsTokens());
    }

    private TextCompletion completion(List<TextCompletion.Choice> choices) {
        return new TextCompletion(
                id, TextCompletion.OBJECT, created, request.generations().get(0).model(), fingerprint, choices);
    }

    private int choicesPerPrompt() {
        return request.generations().get(0).output().choices();
    }

    private boolean tellsLogprobs() {
        return request.generations().get(0).output().topLogprobs() >= 0;
    }

    private static Usage sum(List<Usage> usages) {
        return usages.stream()
                .reduce(
                        new Usage(0, 0, 0, 0),
                        (a, b) -> new Usage(
                                a.promptTokens() + b.promptTokens(),
                                a.cachedTokens() + b.cachedTokens(),
                                a.imageTokens() + b.imageTokens(),
                                a.completionTokens() + b.completionTokens()));
    }

    /** The whole answer as it grows. */
    private final class Whole {

        private final List<Growing> choices = Stream.generate(Growing::new)
                .limit((long) request.generations().size() * choicesPerPrompt())
                .toList();

        private final List<Usage> usages = new ArrayList<>();

        void add(Part part) {
            int first = part.prompt() * choicesPerPrompt();
            GenerationEvent event = part.event();
            if (event instanceof PromptRead prompt) {
                choices.subList(first, first + choicesPerPrompt())
                        .forEach(choice -> choice.append(prompt.text(), prompt.logprobs()));
            } else if (event instanceof TextDelta delta) {
                choices.get(first + delta.choice()).append(delta.text(), delta.logprobs());
            } else if (event instanceof ChoiceEnded end) {
                choices.get(first + end.choice()).end(end);
            } else if (event instanceof Completed completed) {
                usages.add(completed.usage());
            }
        }

        WithUsage completion() {
            List<TextCompletion.Choice> all = IntStream.range(0, choices.size())
                    .mapToObj(index -> choices.get(index).choice(index))
                    .toList();
            return new WithUsage(TextAnswer.this.completion(all), UsageObject.of(sum(usages)));
        }
    }

    /** A choice of the whole answer as it grows. */
    private final class Growing {

        private final StringBuilder text = new StringBuilder();
        private final List<TokenLogprob> logprobs = new ArrayList<>();
        private @Nullable String finishReason;

        void append(String more, List<TokenLogprob> told) {
            text.append(more);
            logprobs.addAll(told);
        }

        void end(ChoiceEnded end) {
            finishReason = Completion.name(end.reason());
            if (end.end() != null) {
                logprobs.add(end.end());
            }
        }

        TextCompletion.Choice choice(int index) {
            if (finishReason == null) {
                throw Completion.unfinished();
            }
            TextLogprobs told = tellsLogprobs() ? TextLogprobs.of(logprobs, request.idsAsTokens()) : null;
            return new TextCompletion.Choice(index, text.toString(), told, finishReason);
        }
    }
}
