package io.idefics.web;

import io.idefics.generation.Client;
import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.Prompt;
import io.idefics.generation.TokenLogprob;
import io.idefics.generation.Usage;
import io.idefics.service.Classification;
import io.idefics.service.CompletionService;
import io.idefics.service.ModelDescription;
import io.idefics.service.RenderedPrompt;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** Answers each request with a script and remembers what it was asked. */
public final class ScriptedCompletionService implements CompletionService {

    public static final String MODEL = "org/mini-model";

    private static final List<ModelDescription> MODELS = List.of(
            new ModelDescription(MODEL, 1_700_000_000L, 2048), new ModelDescription("other", 1_700_000_001L, 1024));

    private static final RenderedPrompt RENDERED = new RenderedPrompt(
            "<s>User: hi",
            List.of(
                    new RenderedPrompt.Token(1, "<s>", true),
                    new RenderedPrompt.Token(4911, " User", false),
                    new RenderedPrompt.Token(29901, ":", false),
                    new RenderedPrompt.Token(7251, " hi", false)),
            0,
            2048);

    private final Queue<GenerationRequest> requests = new ConcurrentLinkedQueue<>();
    private final Queue<Prompt> prompts = new ConcurrentLinkedQueue<>();
    private final AtomicInteger active = new AtomicInteger();
    private final AtomicInteger calls = new AtomicInteger();
    private volatile Function<GenerationRequest, Flux<GenerationEvent>> script = ScriptedCompletionService::echo;
    private volatile List<ModelDescription> models = MODELS;

    /** A short fixed answer. */
    public static Flux<GenerationEvent> echo(GenerationRequest request) {
        int images = request.prompt().images().size();
        int choices = request.output().choices();
        Usage usage = new Usage(9 + 3 * images, 0, 3 * images, 4 * choices);
        return Flux.range(0, choices)
                .concatMap(choice -> choice(choice, FinishReason.END_TOKEN, "A red", " square", " 🟥\n."))
                .concatWithValues(new GenerationEvent.Completed(usage));
    }

    /** The same with a token for each piece of text, where they were asked for. */
    public static Flux<GenerationEvent> echoWithTokens(GenerationRequest request) {
        AtomicInteger length = new AtomicInteger();
        return echo(request)
                .map(event -> request.output().topLogprobs() >= 0 && event instanceof GenerationEvent.TextDelta delta
                        ? new GenerationEvent.TextDelta(
                                delta.choice(), delta.text(), List.of(token(delta.text(), length)))
                        : event);
    }

    private static TokenLogprob token(String text, AtomicInteger length) {
        int offset = length.getAndAdd(text.codePointCount(0, text.length()));
        TokenLogprob.Candidate chosen = new TokenLogprob.Candidate(7, text, List.of(1, 2), -0.5);
        return new TokenLogprob(chosen, List.of(), offset);
    }

    /** Two answers in a mixture, the second without any text. */
    public static Flux<GenerationEvent> twoChoices() {
        TokenLogprob.Candidate red = new TokenLogprob.Candidate(4367, "Red", List.of(82, 101, 100), -0.25);
        TokenLogprob.Candidate special = new TokenLogprob.Candidate(32001, "<image>", null, Double.NEGATIVE_INFINITY);
        TokenLogprob.Candidate half = new TokenLogprob.Candidate(198, "\\xc3", List.of(195), -1);
        TokenLogprob.Candidate other = new TokenLogprob.Candidate(172, "\\xa9", List.of(169), -2);
        return Flux.just(
                new GenerationEvent.TextDelta(0, "Red", List.of(new TokenLogprob(red, List.of(red, special), 0))),
                new GenerationEvent.ChoiceEnded(1, FinishReason.LENGTH),
                new GenerationEvent.TextDelta(
                        0,
                        "é",
                        List.of(new TokenLogprob(half, List.of(half), 3), new TokenLogprob(other, List.of(), 3))),
                new GenerationEvent.ChoiceEnded(0, FinishReason.END_TOKEN),
                new GenerationEvent.Completed(new Usage(9, 8, 0, 5)));
    }

    /** An answer of one choice. */
    public static Flux<GenerationEvent> answer(Usage usage, FinishReason reason, String... texts) {
        return choice(0, reason, texts).concatWithValues(new GenerationEvent.Completed(usage));
    }

    private static Flux<GenerationEvent> choice(int index, FinishReason reason, String... texts) {
        return Flux.fromArray(texts)
                .<GenerationEvent>map(text -> new GenerationEvent.TextDelta(index, text))
                .concatWithValues(new GenerationEvent.ChoiceEnded(index, reason));
    }

    public void script(Function<GenerationRequest, Flux<GenerationEvent>> next) {
        this.script = next;
    }

    public void models(List<ModelDescription> next) {
        this.models = next;
    }

    public void reset() {
        script = ScriptedCompletionService::echo;
        models = MODELS;
        requests.clear();
        prompts.clear();
        calls.set(0);
    }

    /** The latest request, or null where there was none since the last call. */
    public GenerationRequest lastRequest() {
        GenerationRequest last = null;
        for (GenerationRequest next = requests.poll(); next != null; next = requests.poll()) {
            last = next;
        }
        return last;
    }

    /** The prompts that were only to be shown, and not run. */
    public List<Prompt> renderedPrompts() {
        return List.copyOf(prompts);
    }

    /** The number of answers that somebody is waiting for. */
    public int active() {
        return active.get();
    }

    /** How often something was asked but which models there are, since the last reset. */
    public int calls() {
        return calls.get();
    }

    @Override
    public Flux<GenerationEvent> complete(GenerationRequest request) {
        calls.incrementAndGet();
        return Flux.defer(() -> {
            requests.add(request);
            active.incrementAndGet();
            return Flux.defer(() -> script.apply(request)).doFinally(signal -> active.decrementAndGet());
        });
    }

    @Override
    public Mono<Classification> classify(
            String model, Prompt.Conversation conversation, List<String> answers, Client client) {
        calls.incrementAndGet();
        double logprob = -Math.log(answers.size());
        return Mono.just(new Classification(
                answers.stream()
                        .map(answer -> new Classification.Score(answer, logprob, 1.0 / answers.size(), 2))
                        .toList(),
                new Usage(9, 0, 0, 0)));
    }

    @Override
    public Mono<RenderedPrompt> render(String model, Prompt prompt) {
        calls.incrementAndGet();
        prompts.add(prompt);
        return Mono.just(RENDERED);
    }

    @Override
    public Mono<RenderedPrompt> tokenize(String model, String text) {
        calls.incrementAndGet();
        return Mono.just(RENDERED);
    }

    @Override
    public Mono<String> detokenize(String model, List<Integer> ids, boolean skipSpecialTokens) {
        calls.incrementAndGet();
        return Mono.just(ids + (skipSpecialTokens ? "" : " and special"));
    }

    @Override
    public List<ModelDescription> models() {
        return models;
    }
}
