package io.idefics.engine;

import static io.idefics.engine.EngineBench.PATIENCE;
import static io.idefics.engine.EngineBench.assertFails;
import static io.idefics.engine.EngineBench.picture;
import static io.idefics.engine.EngineBench.pictured;
import static io.idefics.engine.EngineBench.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.idefics.engine.FakeModel.Run;
import io.idefics.engine.SequenceEvent.Prefilled;
import io.idefics.engine.SequenceEvent.Token;
import io.idefics.engine.TokenLogprobs.Alternative;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.model.ModelInput;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Flux;

/** However a prompt is run, its tokens are told as likely as they are after all that goes before them. */
class PromptLogprobsTest {

    private static final int TOP = 3;

    private EngineBench bench;

    @BeforeEach
    void start() {
        bench = new EngineBench();
    }

    @AfterEach
    void stop() {
        bench.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 15, 16, 17, 64, 65, 66, 128, 129, 130, 400})
    void prompt_ofAnyLength_isToldAsAWhole(int length) {
        SequenceRequest request = scoring(text(length, length, 3), 1);

        assertTold(events(request), request);
        bench.assertSound();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 63, 64, 65, 100, 198, 199})
    void prompt_fromAToken_isToldFromThere(int from) {
        SequenceRequest request = scoring(pictured(7, 200, 3, picture(1), picture(2)), from);

        assertTold(events(request), request);
        bench.assertSound();
    }

    @ParameterizedTest
    @ValueSource(ints = {200, 201, 1000})
    void prompt_fromBehindItsEnd_tellsNothing(int from) {
        SequenceRequest request = scoring(text(7, 200, 3), from);

        assertThat(((Prefilled) events(request).get(0)).promptLogprobs()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {16, 20, 512})
    void prompt_inChunks_keepsFewLogitsAtATime(int chunkTokens) {
        try (EngineBench chunks = new EngineBench(EngineBench.settings(8, 64, chunkTokens))) {
            SequenceRequest request = scoring(pictured(3, 300, 5, picture(1), picture(2)), 100);
            chunks.model.beforeForward =
                    runs -> runs.forEach(run -> require(run.row().logitsToKeep() <= Scheduler.MAX_PROMPT_LOGITS));

            assertTold(chunks.engine.generate(request).collectList().block(PATIENCE), request);
            assertThat(chunks.model.steps).hasSizeGreaterThan(3);
            chunks.assertSound();
        }
    }

    @Test
    void prompt_withoutLogprobsAtItsBeginning_isRunInOneChunkUntilThere() {
        SequenceRequest request = scoring(text(3, 300, 1), 290);

        assertTold(events(request), request);

        assertThat(bench.model.steps).containsExactly(List.of(300));
    }

    @Test
    void prompt_inTheCache_isRunAgainFromWhereItIsTold() {
        SequenceRequest plain = pictured(5, 150, 2, picture(1));
        events(plain);

        List<SequenceEvent> whole = events(scoring(plain, 1));
        List<SequenceEvent> end = events(scoring(plain, 100));

        assertTold(whole, scoring(plain, 1));
        assertThat(((Prefilled) whole.get(0)).cachedTokens()).isZero();
        assertTold(end, scoring(plain, 100));
        assertThat(((Prefilled) end.get(0)).cachedTokens()).isEqualTo(96);
        bench.assertSound();
    }

    @Test
    void prompt_sentTwice_isToldAlike() {
        SequenceRequest request = scoring(pictured(5, 150, 2, picture(1)), 1);

        assertThat(told(events(request))).isEqualTo(told(events(request)));
    }

    @Test
    void prompts_withLittleMemory_areToldAfterTheyLostIt() {
        try (EngineBench small = new EngineBench(EngineBench.settings(4, 500, 64), new CacheSize(16, 3, 2))) {
            List<SequenceRequest> requests = new ArrayList<>();
            for (int i = 0; i < 120; i++) {
                SequenceRequest plain = i % 3 == 0
                        ? text(i % 17, 20 + i * 7 % 150, 5 + i % 60)
                        : pictured(i % 17, 20 + i * 11 % 150, 5 + i % 60, picture(i % 4));
                requests.add(i % 2 == 0 ? scoring(plain, 1 + i % 30) : plain);
            }

            List<CompletableFuture<List<SequenceEvent>>> all = requests.stream()
                    .map(request -> small.engine.generate(request).collectList().toFuture())
                    .toList();

            for (int i = 0; i < requests.size(); i++) {
                assertThat(all.get(i)).succeedsWithin(PATIENCE);
                assertTold(all.get(i).join(), requests.get(i));
            }
            small.assertSound();
            assertThat(small.engine.stats().preemptions()).isPositive();
            assertThat(small.engine.stats().prefixHitTokens()).isPositive();
        }
    }

    @Test
    void choices_ofOnePrompt_findItInTheCacheOfTheOneThatTellsIt() {
        SequenceRequest plain = text(5, 150, 6);
        SequenceRequest first = scoring(plain, 1);

        List<List<SequenceEvent>> choices = Flux.range(0, 4)
                .flatMapSequential(choice ->
                        bench.engine.generate(choice == 0 ? first : plain).collectList())
                .collectList()
                .block(PATIENCE);

        assertTold(choices.get(0), first);
        for (List<SequenceEvent> choice : choices.subList(1, 4)) {
            assertTold(choice, plain);
            assertThat(((Prefilled) choice.get(0)).cachedTokens()).isEqualTo(144);
        }
        bench.assertSound();
    }

    @Test
    void noTokens_onlyRunsThePrompt() {
        SequenceRequest request = scoring(text(5, 100, 0), 1);

        List<SequenceEvent> events = events(request);

        assertThat(events).hasSize(1);
        assertTold(events, request);
        bench.awaitIdle();
        assertThat(bench.engine.stats().generatedTokens()).isZero();
        bench.assertSound();
    }

    @Test
    void noTokensWithoutLogprobs_tellsThatThePromptIsRun() {
        assertThat(events(text(5, 100, 0))).containsExactly(new Prefilled(0));
        bench.assertSound();
    }

    @Test
    void alternatives_notWanted_areNotTold() {
        SequenceRequest request = scoring(text(5, 100, 1), 1, SequenceRequest.NO_LOGPROBS);

        List<SequenceEvent> events = events(request);

        assertThat(told(events)).hasSize(99).allSatisfy(token -> {
            assertThat(token.top()).isEmpty();
            assertThat(token.logprob()).isNegative();
        });
        assertThat(((Token) events.get(1)).logprobs()).isNull();
    }

    /** The later part of a prompt computes no numbers. */
    @Test
    void logits_areNoNumbersInThePrompt_failTheirSequenceAloneAndAreForgotten() {
        SequenceRequest broken = scoring(text(5, 200, 3), 1);
        SequenceRequest neighbour = scoring(text(6, 200, 3), 1);
        bench.model.breaks = run -> run.row().past() >= 64 && isOf(run, broken.input());

        CompletableFuture<List<SequenceEvent>> fails =
                bench.engine.generate(broken).collectList().toFuture();
        List<SequenceEvent> other = events(neighbour);

        assertFails(fails, error -> assertThat(error).hasRootCauseInstanceOf(LogitsException.class));
        assertTold(other, neighbour);
        bench.awaitIdle();
        assertThat(bench.engine.stats().nanLogits()).isEqualTo(1);
        bench.model.breaks = run -> false;
        List<SequenceEvent> again = events(broken);
        assertTold(again, broken);
        bench.assertSound();
    }

    private static boolean isOf(Run run, ModelInput input) {
        return IntStream.range(0, run.ids().size()).allMatch(i -> run.ids().get(i) == input.inputIds()[i]);
    }

    @Test
    void step_failsForANeighbour_isToldAllTheSame() {
        SequenceRequest bad = EngineBench.marked(text(1, 40, 3));
        List<SequenceRequest> requests = List.of(scoring(text(2, 150, 3), 1), scoring(text(3, 90, 3), 20));
        bench.model.beforeForward = EngineBench.failMarked(new IllegalStateException("broken"));

        EngineBench.Hold hold = bench.hold();
        CompletableFuture<List<Integer>> fails = bench.start(bad);
        List<CompletableFuture<List<SequenceEvent>>> others = requests.stream()
                .map(request -> bench.engine.generate(request).collectList().toFuture())
                .toList();
        hold.release();

        assertFails(fails, ErrorType.INTERNAL);
        for (int i = 0; i < requests.size(); i++) {
            assertThat(others.get(i)).succeedsWithin(PATIENCE);
            assertTold(others.get(i).join(), requests.get(i));
        }
        bench.assertSound();
    }

    /** What a sequence tells of its prompt and the tokens that it gives are those that it would be alone. */
    private static void assertTold(List<SequenceEvent> events, SequenceRequest request) {
        assertThat(events.stream().skip(1).map(event -> ((Token) event).id())).isEqualTo(FakeModel.answer(request));
        int[] ids = request.input().inputIds();
        List<TokenLogprobs> told = told(events);
        int from = request.promptLogprobsFrom();
        assertThat(told).hasSize(from < 0 ? 0 : Math.max(0, ids.length - from));
        float[][] logits = FakeModel.promptLogits(request.input());
        for (int i = 0; i < told.size(); i++) {
            double[] expected = logSoftmax(logits[from + i - 1]);
            assertThat(told.get(i).logprob()).isCloseTo(expected[ids[from + i]], within(1e-9));
            List<Integer> likeliest = IntStream.range(0, expected.length)
                    .boxed()
                    .sorted(Comparator.comparingDouble((Integer id) -> -expected[id]))
                    .limit(TOP)
                    .toList();
            assertThat(told.get(i).top()).extracting(Alternative::id).isEqualTo(likeliest);
        }
    }

    private List<SequenceEvent> events(SequenceRequest request) {
        return bench.engine.generate(request).collectList().block(PATIENCE);
    }

    private static List<TokenLogprobs> told(List<SequenceEvent> events) {
        return ((Prefilled) events.get(0)).promptLogprobs();
    }

    private static SequenceRequest scoring(SequenceRequest request, int from) {
        return scoring(request, from, TOP);
    }

    private static SequenceRequest scoring(SequenceRequest request, int from, int top) {
        return new SequenceRequest(
                request.input(),
                request.sampling(),
                request.maxTokens(),
                request.minTokens(),
                request.stopIds(),
                request.bannedIds(),
                top,
                from,
                null,
                request.client(),
                request.priority(),
                null);
    }

    private static double[] logSoftmax(float[] logits) {
        double sum = IntStream.range(0, logits.length)
                .mapToDouble(i -> Math.exp(logits[i]))
                .sum();
        return IntStream.range(0, logits.length)
                .mapToDouble(i -> logits[i] - Math.log(sum))
                .toArray();
    }

    private static void require(boolean holds) {
        if (!holds) {
            throw new AssertionError("more logits than " + Scheduler.MAX_PROMPT_LOGITS);
        }
    }
}
