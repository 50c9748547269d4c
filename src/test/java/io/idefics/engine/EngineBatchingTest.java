package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.idefics.engine.SequenceEvent.Prefilled;
import io.idefics.engine.SequenceEvent.Token;
import io.idefics.engine.TinyModel.Golden;
import io.idefics.generation.SamplingParams;
import io.idefics.model.IdeficsModel;
import io.idefics.model.ModelInput;
import io.idefics.model.NativeResources;
import io.idefics.model.PixelValues;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;

/** However sequences come and go, share and lose memory: each gets the tokens that it gets alone. */
class EngineBatchingTest {

    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final List<Golden> GOLDENS = TinyModel.goldens();

    /** What came of a sequence. */
    private record Answer(int cachedTokens, List<Integer> tokens) {}

    @Test
    void answers_joiningAndLeavingAtEveryStep_areThoseOfEachAlone() {
        try (Engine engine = engine(8, new CacheSize(128, 8, 16))) {
            List<CompletableFuture<Void>> joined = Collections.synchronizedList(new ArrayList<>());
            Golden first = golden("single/no_bad_words");
            for (int round = 0; round < 3; round++) {
                int shift = round;
                int[] step = {0};
                List<Integer> answer = tokens(engine, first.request())
                        .doOnNext(token -> joined.add(joinAndLeave(engine, shift + step[0]++)))
                        .collectList()
                        .block(PATIENCE);
                assertThat(answer).isEqualTo(first.tokens());
            }
            assertThat(joined).hasSize(3 * first.tokens().size());
            joined.forEach(join -> assertThat(join).succeedsWithin(PATIENCE));
            awaitIdle(engine, 128);
        }
    }

    @Test
    void answers_allAtOnceManyTimes_areThoseOfEachAlone() {
        try (Engine engine = engine(8, new CacheSize(128, 8, 16))) {
            assertGoldens(engine, 20);
            awaitIdle(engine, 128);
        }
    }

    @Test
    void answers_withLittleMemory_areThoseOfEachAlone() {
        int blocks = 44;
        Duration patience = TinyModel.settings(1, 1, 1).closeTimeout();
        EngineSettings settings = new EngineSettings(8, 500, 4, 64, 2, 1, null, patience, patience, patience);
        try (Engine engine = engine(settings, new CacheSize(blocks, 3, 2))) {
            assertGoldens(engine, 10);
            awaitIdle(engine, blocks);
            EngineStats stats = engine.stats();
            assertThat(stats.preemptions()).as("preemptions").isPositive();
            assertThat(stats.latentMisses() + stats.latentHits())
                    .as("keys and values of 3 pictures computed again")
                    .isGreaterThan(3);
        }
    }

    @Test
    void answers_withLittleMemory_readTheirOwnSlots() {
        try (EngineBench bench = new EngineBench(EngineBench.settings(3, 500, 512), new CacheSize(12, 3, 2))) {
            List<SequenceRequest> requests = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                int pictures = i % 4;
                requests.add(EngineBench.pictured(
                        i % 23,
                        10 + i * 7 % 60,
                        5 + i % 100,
                        IntStream.range(0, pictures)
                                .mapToObj(p -> EngineBench.picture((p + pictures) % 5))
                                .toArray(PixelValues[]::new)));
            }
            List<CompletableFuture<List<Integer>>> answers = bench.startAll(requests);

            EngineBench.assertAnswer(answers, requests, Set.of());
            bench.assertSound();
            assertThat(bench.engine.stats().preemptions()).isPositive();
            assertThat(bench.engine.stats().prefixHitTokens()).isPositive();
        }
    }

    @Test
    void secondTurn_ofAConversation_findsTheFirstAndGivesTheTokensOfAnUncachedRun() {
        Golden first = golden("three_images/bad_words");
        SequenceRequest second = nextTurn(first);
        Answer uncached;
        try (Engine engine = engine(4, new CacheSize(128, 8, 16))) {
            uncached = answer(engine, second);
        }
        try (Engine engine = engine(4, new CacheSize(128, 8, 16))) {
            Answer before = answer(engine, first.request());
            Answer after = answer(engine, second);

            assertThat(before).isEqualTo(new Answer(0, first.tokens()));
            assertThat(uncached.cachedTokens()).isZero();
            // The last token of the answer was never run.
            int known =
                    first.request().input().inputIds().length + first.tokens().size() - 1;
            assertThat(after).isEqualTo(new Answer(known / 16 * 16, uncached.tokens()));
            assertThat(engine.stats().prefixHitTokens()).isEqualTo(known / 16 * 16);
        }
    }

    @Test
    void picture_inANewConversation_isFoundAndNotEncodedAgain() {
        Golden golden = golden("single/bad_words");
        SequenceRequest other = withIds(golden.request(), ids -> ids[0] = ids[0] == 5 ? 6 : 5);
        try (Engine engine = engine(4, new CacheSize(128, 8, 16))) {
            answer(engine, golden.request());
            awaitIdle(engine, 128);
            EngineStats before = engine.stats();
            assertThat(before.latentMisses()).isEqualTo(1);
            Answer answer = answer(engine, other);
            awaitIdle(engine, 128);

            assertThat(answer.cachedTokens()).isZero();
            assertThat(engine.stats().imageStateHits()).isEqualTo(before.imageStateHits() + 1);
            assertThat(engine.stats().latentMisses()).isEqualTo(1);
            assertThat(answer.tokens()).isEqualTo(aloneOf(other));
        }
    }

    @Test
    void otherPicture_withTheSameText_findsNothingBehindIt() {
        Golden golden = golden("single/bad_words");
        ModelInput input = golden.request().input();
        float[] values = input.images().get(0).values().clone();
        values[values.length / 2] += 1;
        SequenceRequest other = withInput(
                golden.request(),
                new ModelInput(
                        input.inputIds(),
                        input.imageIndex(),
                        List.of(new PixelValues(values, input.images().get(0).size()))));
        int blind = (int)
                Arrays.stream(input.imageIndex()).takeWhile(image -> image < 0).count();
        try (Engine engine = engine(4, new CacheSize(128, 8, 16))) {
            answer(engine, golden.request());
            Answer answer = answer(engine, other);
            awaitIdle(engine, 128);

            assertThat(answer.cachedTokens()).isEqualTo(blind / 16 * 16).isLessThan(16);
            assertThat(engine.stats().imageStateHits()).isZero();
            assertThat(engine.stats().latentMisses()).isEqualTo(2);
            assertThat(answer.tokens()).isEqualTo(aloneOf(other));
            assertThat(answer(engine, golden.request())).isEqualTo(new Answer(16, golden.tokens()));
        }
    }

    @Test
    void choices_ofOnePrompt_prefillItOnce() {
        Golden golden = golden("three_images/bad_words");
        int choices = 4;
        int length = golden.request().input().inputIds().length;
        int shared = (length - 1) / 16 * 16;
        try (Engine engine = engine(8, new CacheSize(128, 8, 16))) {
            List<List<Integer>> answers = Flux.range(0, choices)
                    .flatMap(choice -> tokens(engine, golden.request()).collectList())
                    .collectList()
                    .block(PATIENCE);
            awaitIdle(engine, 128);

            assertThat(answers).hasSize(choices).containsOnly(golden.tokens());
            EngineStats stats = engine.stats();
            assertThat(stats.prefixHitTokens()).isEqualTo((choices - 1) * (long) shared);
            assertThat(stats.promptTokens())
                    .isEqualTo(stats.prefixMissTokens())
                    .isEqualTo(length + (choices - 1) * (long) (length - shared));
            assertThat(stats.latentMisses()).isEqualTo(3);
        }
    }

    @Test
    void longPrompt_comesWhileOthersDecode_theyDecodeInEveryStep() {
        try (EngineBench bench = new EngineBench()) {
            List<SequenceRequest> decoding =
                    List.of(EngineBench.text(1, 5, 60), EngineBench.text(2, 9, 60), EngineBench.text(3, 7, 60));
            SequenceRequest prompt = EngineBench.text(77, 400, 5);
            CompletableFuture<List<Integer>> late = new CompletableFuture<>();
            AtomicInteger passes = new AtomicInteger();
            bench.model.beforeForward = runs -> {
                if (runs.size() == 3 && passes.incrementAndGet() == 5) {
                    bench.tokens(prompt).collectList().subscribe(late::complete, late::completeExceptionally);
                }
            };
            List<CompletableFuture<List<Integer>>> answers = bench.startTogether(decoding);

            EngineBench.assertAnswers(late, prompt);
            EngineBench.assertAnswer(answers, decoding, Set.of());
            List<List<Integer>> prefills = bench.model.steps.stream()
                    .filter(rows -> rows.stream().anyMatch(count -> count == 16))
                    .toList();
            assertThat(prefills).as("in chunks").hasSizeGreaterThan(20);
            assertThat(prefills).allSatisfy(rows -> assertThat(rows.subList(0, 3))
                    .as("three that decode")
                    .containsOnly(1));
        }
    }

    @Test
    void requests_twoThousandOfThem_leaveNothingInNativeMemory() {
        AtomicReference<IdeficsModel> model = new AtomicReference<>();
        EngineSettings settings = TinyModel.settings(8, 4000, 512);
        try (Engine engine = new Engine("leaks", settings, () -> {
            model.set(TinyModel.model());
            return new LoadedModel(model.get(), new CacheSize(64, 4, 8));
        })) {
            assertThat(engine.ready()).succeedsWithin(PATIENCE);
            assertMany(engine, 200);
            awaitIdle(engine, 64);
            int resources = NativeResources.count(model.get());
            assertMany(engine, 2000);
            awaitIdle(engine, 64);

            assertThat(NativeResources.count(model.get())).isEqualTo(resources);
        }
    }

    /** Many short requests, some of them cancelled. */
    private static void assertMany(Engine engine, int count) {
        Long right = Flux.range(0, count)
                .flatMap(
                        i -> {
                            Golden golden = GOLDENS.get(i % GOLDENS.size());
                            int taken = i % 5 == 0 ? 2 : 4;
                            SequenceRequest request = new SequenceRequest(
                                    golden.request().input(),
                                    SamplingParams.GREEDY,
                                    4,
                                    golden.request().stopIds(),
                                    golden.request().bannedIds());
                            return tokens(engine, request)
                                    .take(taken)
                                    .collectList()
                                    .filter(golden.tokens().subList(0, taken)::equals);
                        },
                        16)
                .count()
                .block(PATIENCE);
        assertThat(right).isEqualTo(count);
    }

    private static CompletableFuture<Void> joinAndLeave(Engine engine, int step) {
        Golden stays = GOLDENS.get(step % GOLDENS.size());
        Golden leaves = GOLDENS.get((step + 1) % GOLDENS.size());
        int taken = 1 + step % 10;
        CompletableFuture<Void> left = tokens(engine, leaves.request())
                .take(taken)
                .collectList()
                .doOnNext(tokens -> assertThat(tokens).isEqualTo(leaves.tokens().subList(0, taken)))
                .then()
                .toFuture();
        CompletableFuture<Void> ended = tokens(engine, stays.request())
                .collectList()
                .doOnNext(tokens -> assertThat(tokens).isEqualTo(stays.tokens()))
                .then()
                .toFuture();
        return CompletableFuture.allOf(left, ended);
    }

    private static void assertGoldens(Engine engine, int times) {
        List<Golden> all = new ArrayList<>();
        for (int i = 0; i < times; i++) {
            all.addAll(GOLDENS);
        }
        Collections.shuffle(all, new Random(times));
        List<List<Integer>> answers = Flux.fromIterable(all)
                .flatMapSequential(golden -> tokens(engine, golden.request()).collectList(), all.size())
                .collectList()
                .block(PATIENCE);
        assertThat(answers).isEqualTo(all.stream().map(Golden::tokens).toList());
    }

    /** What a new engine answers. */
    private static List<Integer> aloneOf(SequenceRequest request) {
        try (Engine engine = engine(4, new CacheSize(128, 8, 16))) {
            return answer(engine, request).tokens();
        }
    }

    private static Answer answer(Engine engine, SequenceRequest request) {
        List<SequenceEvent> events = engine.generate(request).collectList().block(PATIENCE);
        return new Answer(
                ((Prefilled) events.get(0)).cachedTokens(),
                events.stream().skip(1).map(event -> ((Token) event).id()).toList());
    }

    private static Flux<Integer> tokens(Engine engine, SequenceRequest request) {
        return engine.generate(request).ofType(Token.class).map(Token::id);
    }

    private static Engine engine(int maxBatch, CacheSize caches) {
        return engine(TinyModel.settings(maxBatch, 500, 512), caches);
    }

    private static Engine engine(EngineSettings settings, CacheSize caches) {
        Engine engine = new Engine("batching", settings, () -> new LoadedModel(TinyModel.model(), caches));
        assertThat(engine.ready()).succeedsWithin(PATIENCE);
        return engine;
    }

    private static Golden golden(String name) {
        return GOLDENS.stream()
                .filter(golden -> golden.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    /** The prompt and its answer, and what the user says next. */
    private static SequenceRequest nextTurn(Golden golden) {
        ModelInput input = golden.request().input();
        int length = input.inputIds().length;
        int[] said = new Random(3).ints(11, 3, 1000).toArray();
        int[] ids = Arrays.copyOf(input.inputIds(), length + golden.tokens().size() + said.length);
        int[] seen = Arrays.copyOf(input.imageIndex(), ids.length);
        for (int i = length; i < ids.length; i++) {
            int answered = i - length;
            ids[i] = answered < golden.tokens().size()
                    ? golden.tokens().get(answered)
                    : said[answered - golden.tokens().size()];
            seen[i] = input.imageIndex()[length - 1];
        }
        return withInput(golden.request(), new ModelInput(ids, seen, input.images()));
    }

    private static SequenceRequest withIds(SequenceRequest request, java.util.function.Consumer<int[]> change) {
        int[] ids = request.input().inputIds().clone();
        change.accept(ids);
        return withInput(
                request,
                new ModelInput(
                        ids, request.input().imageIndex(), request.input().images()));
    }

    private static SequenceRequest withInput(SequenceRequest request, ModelInput input) {
        return new SequenceRequest(
                input, request.sampling(), request.maxTokens(), request.stopIds(), request.bannedIds());
    }

    private static void awaitIdle(Engine engine, int blocks) {
        await().atMost(PATIENCE).untilAsserted(() -> {
            EngineStats stats = engine.stats();
            assertThat(engine.runningSequences()).isZero();
            assertThat(engine.waitingSequences()).isZero();
            assertThat(stats.usedBlocks()).isZero();
            assertThat(stats.cachedBlocks() + stats.freeBlocks()).isEqualTo(blocks);
        });
    }
}
