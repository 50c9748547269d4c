package io.idefics.engine;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.idefics.checkpoint.CheckpointWeights;
import io.idefics.checkpoint.IdeficsConfig;
import io.idefics.checkpoint.ModelDirectory;
import io.idefics.engine.SequenceEvent.Token;
import io.idefics.generation.GenerationException;
import io.idefics.generation.Priority;
import io.idefics.generation.SamplingParams;
import io.idefics.model.ComputeType;
import io.idefics.model.IdeficsModel;
import io.idefics.model.ModelInput;
import io.idefics.model.NativeResources;
import io.idefics.model.PixelValues;
import io.idefics.testing.MiniEvaluation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;

/**
 * Runs an engine with little memory for minutes or hours on end: sequences with 0 to 3 pictures come, share prefixes,
 * have several choices, are cancelled and fail at random, and every answer has to be the one that the prompt gets alone.
 *
 * <p>Arguments: how many minutes, a seed, and a checkpoint directory, the embedded model if there is none. Prints a line
 * each minute, and PASS or FAIL at the end, which is the exit status as well.
 *
 * <pre>{@code
 * mvn -q test-compile dependency:build-classpath -Dmdep.outputFile=target/test-classpath
 * OPT_OUT_TRACKING=true OMP_WAIT_POLICY=PASSIVE java -Xms384m -Xmx384m -XX:+AlwaysPreTouch \
 *     -cp target/test-classes:target/classes:$(cat target/test-classpath) io.idefics.engine.EngineSoak 30 1
 * }</pre>
 *
 * The heap has a fixed size so that what grows is native memory.
 */
public final class EngineSoak {

    private static final int FAMILIES = 8;
    private static final int PICTURES = 10;
    private static final int MOST_OPEN = 44;
    private static final CacheSize CACHES = new CacheSize(56, 6, 4);

    /** The least lead of the best logit over the second, so that rounding does not decide an answer. */
    private static final double CLEAR = 1e-3;

    private static final Duration STUCK = Duration.ofMinutes(2);
    private static final double MOST_DRIFT = 0.02;

    /** A prompt and its answer; null for one that is to fail. */
    private record Prompt(SequenceRequest request, @Nullable List<Integer> answer) {}

    /** A sequence under way. */
    private static final class Open {

        final long start = System.nanoTime();
        volatile @Nullable Disposable subscription;
    }

    private final IdeficsConfig config;
    private final ModelDirectory directory;
    private final Random random;
    private final int poison;
    private final List<PixelValues> pictures = new ArrayList<>();
    private final List<Prompt> prompts = new ArrayList<>();
    private final Set<Open> open = ConcurrentHashMap.newKeySet();

    private final AtomicLong done = new AtomicLong();
    private final AtomicLong cancelled = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();
    private final AtomicLong wrong = new AtomicLong();
    private final AtomicLong unexpected = new AtomicLong();

    private EngineSoak(Path path, long seed) {
        this.directory = ModelDirectory.open(path);
        this.config = directory.config();
        this.random = new Random(seed);
        this.poison = config.totalVocabSize() - 1;
    }

    public static void main(String[] arguments) throws IOException {
        ((Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME)).setLevel(Level.OFF);
        double minutes = Double.parseDouble(arguments[0]);
        long seed = Long.parseLong(arguments[1]);
        Path path = arguments.length > 2 ? Path.of(arguments[2]) : MiniEvaluation.MODEL;
        boolean passed = new EngineSoak(path, seed).run(minutes, seed);
        System.out.println(passed ? "PASS" : "FAIL");
        System.exit(passed ? 0 : 1);
    }

    private boolean run(double minutes, long seed) throws IOException {
        makePrompts();
        IdeficsModel[] model = new IdeficsModel[1];
        FaultyModel[] faulty = new FaultyModel[1];
        EngineSettings settings = settings(8, 32);
        try (Engine engine = new Engine("soak", settings, () -> {
            model[0] = load();
            faulty[0] = new FaultyModel(model[0], seed, poison);
            return new LoadedModel(faulty[0], CACHES);
        })) {
            engine.ready().join();
            boolean sound = answersAll(engine);
            int native0 = NativeResources.count(model[0]);
            faulty[0].failing = true;

            long start = System.nanoTime();
            long warmUp = (long) (Math.min(Math.max(minutes / 5, 1), 5) * 60e9);
            long end = start + (long) (minutes * 60e9);
            long nextLine = start + TimeUnit.MINUTES.toNanos(1);
            long warmRss = 0;
            int target = 1;
            long nextTarget = start;
            for (long now = start; now < end && !isStuck(); now = System.nanoTime()) {
                if (now >= nextTarget) {
                    target = 1 + random.nextInt(MOST_OPEN);
                    nextTarget = now + random.nextLong(TimeUnit.SECONDS.toNanos(3));
                }
                if (open.size() < target) {
                    arrive(engine);
                }
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(2));
                if (random.nextInt(400) == 0) {
                    leave();
                }
                if (now >= nextLine) {
                    nextLine += TimeUnit.MINUTES.toNanos(1);
                    line(now - start, engine, faulty[0], model[0]);
                }
                if (warmRss == 0 && now - start >= warmUp) {
                    warmRss = memory("VmRSS");
                }
            }
            long rss = memory("VmRSS");
            boolean drained = drain(engine);
            faulty[0].failing = false;
            sound &= answersAll(engine);
            drained &= drain(engine);
            int native1 = NativeResources.count(model[0]);
            line(System.nanoTime() - start, engine, faulty[0], model[0]);
            double drift = warmRss == 0 ? 0 : (double) (rss - warmRss) / warmRss;
            System.out.printf(
                    Locale.ROOT,
                    "drained %b, answers before and after right %b, native resources %d -> %d,"
                            + " RSS %d -> %d kB, drift %.2f %%%n",
                    drained,
                    sound,
                    native0,
                    native1,
                    warmRss,
                    rss,
                    100 * drift);
            return drained
                    && sound
                    && native0 == native1
                    && drift <= MOST_DRIFT
                    && wrong.get() == 0
                    && unexpected.get() == 0
                    && done.get() > 0
                    && cancelled.get() > 0
                    && failed.get() > 0
                    && engine.stats().preemptions() > 0;
        }
    }

    private void arrive(Engine engine) {
        Prompt prompt = prompts.get(random.nextInt(prompts.size()));
        ModelInput pooled = prompt.request().input();
        ModelInput input = new ModelInput(pooled.inputIds(), pooled.imageIndex(), pooled.images());
        int choices = random.nextInt(6) == 0 ? 2 + random.nextInt(3) : 1;
        String client = "client" + random.nextInt(4);
        Priority priority = Priority.values()[random.nextInt(3)];
        @Nullable Duration timeout = random.nextInt(10) == 0 ? Duration.ofMillis(random.nextInt(500)) : null;
        for (int choice = 0; choice < choices; choice++) {
            SequenceRequest request = new SequenceRequest(
                    input,
                    SamplingParams.GREEDY,
                    prompt.request().maxTokens(),
                    0,
                    prompt.request().stopIds(),
                    prompt.request().bannedIds(),
                    SequenceRequest.NO_LOGPROBS,
                    client,
                    timeout);
            int taken = random.nextInt(10) == 0 ? 1 + random.nextInt(20) : Integer.MAX_VALUE;
            start(engine, EngineBench.withPriority(request, priority), prompt.answer(), taken);
        }
    }

    private void start(Engine engine, SequenceRequest request, @Nullable List<Integer> answer, int taken) {
        Open entry = new Open();
        open.add(entry);
        entry.subscription = tokens(engine, request)
                .take(taken)
                .collectList()
                .doFinally(signal -> open.remove(entry))
                .subscribe(tokens -> check(tokens, answer, taken), this::classify);
    }

    private void check(List<Integer> tokens, @Nullable List<Integer> answer, int taken) {
        if (answer != null && tokens.equals(answer.subList(0, Math.min(taken, answer.size())))) {
            (taken < answer.size() ? cancelled : done).incrementAndGet();
        } else {
            wrong.incrementAndGet();
            System.out.println("WRONG: " + tokens + " instead of " + answer);
        }
    }

    private void classify(Throwable error) {
        Throwable root = error;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        String message = String.valueOf(root.getMessage());
        if (message.startsWith(FaultyModel.INJECTED) || root instanceof LogitsException) {
            failed.incrementAndGet();
        } else if (root instanceof GenerationException
                && (message.contains("requests wait already") || message.contains("time to wait"))) {
            refused.incrementAndGet();
        } else {
            unexpected.incrementAndGet();
            error.printStackTrace(System.out);
        }
    }

    private void leave() {
        for (Open entry : open) {
            Disposable subscription = entry.subscription;
            if (subscription != null && random.nextInt(4) == 0) {
                subscription.dispose();
                cancelled.incrementAndGet();
                return;
            }
        }
    }

    private boolean isStuck() {
        return open.stream().anyMatch(entry -> System.nanoTime() - entry.start > STUCK.toNanos());
    }

    /** Waits until nothing is under way; tells whether nothing is left either. */
    private boolean drain(Engine engine) {
        long end = System.nanoTime() + STUCK.toNanos();
        while (System.nanoTime() < end) {
            EngineStats stats = engine.stats();
            if (open.isEmpty()
                    && engine.runningSequences() + engine.waitingSequences() == 0
                    && stats.usedBlocks() == 0
                    && stats.cachedBlocks() + stats.freeBlocks() == CACHES.blocks()) {
                return true;
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
        }
        System.out.println("STUCK: " + open.size() + " open, " + engine.stats());
        return false;
    }

    /** Whether each prompt that has an answer gets it, one after the other. */
    private boolean answersAll(Engine engine) {
        return prompts.stream().filter(prompt -> prompt.answer() != null).allMatch(prompt -> prompt.answer()
                .equals(tokens(engine, prompt.request()).collectList().block(STUCK)));
    }

    private void line(long nanos, Engine engine, FaultyModel faulty, IdeficsModel model) throws IOException {
        EngineStats stats = engine.stats();
        System.out.printf(
                Locale.ROOT,
                "%4d s: done %d, cancelled %d, failed as injected %d (%d faults, %d rows of NaN), refused %d, wrong %d,"
                        + " unexpected %d; steps %d, preemptions %d, prefix hits %d of %d tokens, pictures encoded %d;"
                        + " VmRSS %d kB, RssAnon %d kB, native resources %d%n",
                TimeUnit.NANOSECONDS.toSeconds(nanos),
                done.get(),
                cancelled.get(),
                failed.get(),
                faulty.faults.get(),
                faulty.nanRows.get(),
                refused.get(),
                wrong.get(),
                unexpected.get(),
                stats.steps(),
                stats.preemptions(),
                stats.prefixHitTokens(),
                stats.prefixHitTokens() + stats.prefixMissTokens(),
                stats.latentMisses(),
                memory("VmRSS"),
                memory("RssAnon"),
                NativeResources.count(model));
    }

    private static long memory(String field) throws IOException {
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith(field + ":"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElseThrow();
    }

    /** Families of prompts that begin alike, next turns of them, and some that fail; the answers are computed alone. */
    private void makePrompts() {
        int size = config.visionConfig().imageSize();
        for (int picture = 0; picture < PICTURES; picture++) {
            float[] values = new float[3 * size * size];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextGaussian();
            }
            pictures.add(new PixelValues(values, size));
        }
        try (Engine engine =
                new Engine("alone", settings(1, 4), () -> new LoadedModel(load(), new CacheSize(128, 8, 16)))) {
            engine.ready().join();
            for (int family = 0; family < FAMILIES; family++) {
                ModelInput stem = longer(new ModelInput(new int[0], new int[0], List.of()), 20 + random.nextInt(60), 3);
                for (int variant = 0; variant < 4; variant++) {
                    ModelInput input = longer(stem, 1 + random.nextInt(30), variant == 0 ? 1 : 0);
                    List<Integer> answer = addPrompt(engine, input);
                    ModelInput next = longer(withTokens(input, answer), 1 + random.nextInt(10), 0);
                    addPrompt(engine, next);
                }
                ModelInput poisoned = withTokens(stem, List.of(poison));
                prompts.add(new Prompt(request(poisoned, 8), null));
            }
        }
        System.out.printf(
                "%d prompts, %d of them to fail%n",
                prompts.size(),
                prompts.stream().filter(prompt -> prompt.answer() == null).count());
    }

    /** Adds a prompt if its answer is clear, and returns the answer. */
    private List<Integer> addPrompt(Engine engine, ModelInput input) {
        SequenceRequest request = request(input, 4 + random.nextInt(44));
        SequenceRequest detailed = new SequenceRequest(
                input, request.sampling(), request.maxTokens(), 0, request.stopIds(), request.bannedIds(), 2, "", null);
        List<Token> tokens =
                engine.generate(detailed).ofType(Token.class).collectList().block(STUCK);
        List<Integer> answer = tokens.stream().map(Token::id).toList();
        if (tokens.stream().allMatch(EngineSoak::isClear)) {
            prompts.add(new Prompt(request, answer));
        }
        return answer;
    }

    private static boolean isClear(Token token) {
        TokenLogprobs logprobs = token.logprobs();
        return logprobs != null
                && logprobs.top().get(0).logprob() - logprobs.top().get(1).logprob() > CLEAR;
    }

    private SequenceRequest request(ModelInput input, int maxTokens) {
        return new SequenceRequest(
                input, SamplingParams.GREEDY, maxTokens, Set.copyOf(config.eosTokenIds()), new int[] {poison});
    }

    /** The prompt with further random tokens, from some of which on further pictures are seen. */
    private ModelInput longer(ModelInput input, int tokens, int mostPictures) {
        List<PixelValues> images = new ArrayList<>(input.images());
        int further = Math.min(random.nextInt(mostPictures + 1), 3 - images.size());
        int length = input.inputIds().length;
        int[] ids = Arrays.copyOf(input.inputIds(), length + tokens);
        int[] seen = Arrays.copyOf(input.imageIndex(), ids.length);
        int last = length == 0 ? -1 : seen[length - 1];
        for (int i = length; i < ids.length; i++) {
            ids[i] = 3 + random.nextInt(config.vocabSize() - 3);
            seen[i] = last + (i - length) * (further + 1) / tokens;
        }
        IntStream.range(0, further).forEach(i -> images.add(pictures.get(random.nextInt(PICTURES))));
        return new ModelInput(ids, seen, images);
    }

    private static ModelInput withTokens(ModelInput input, List<Integer> tokens) {
        int length = input.inputIds().length;
        int[] ids = Arrays.copyOf(input.inputIds(), length + tokens.size());
        int[] seen = Arrays.copyOf(input.imageIndex(), ids.length);
        for (int i = length; i < ids.length; i++) {
            ids[i] = tokens.get(i - length);
            seen[i] = seen[length - 1];
        }
        return new ModelInput(ids, seen, input.images());
    }

    private IdeficsModel load() {
        IdeficsModel.prepareThread();
        try (CheckpointWeights weights = directory.openWeights()) {
            return IdeficsModel.load(config, weights, ComputeType.FLOAT32, "cpu");
        }
    }

    private static Flux<Integer> tokens(Engine engine, SequenceRequest request) {
        return engine.generate(request).ofType(Token.class).map(Token::id);
    }

    private static EngineSettings settings(int maxBatch, int maxWaiting) {
        Duration patience = Duration.ofMinutes(1);
        return new EngineSettings(maxBatch, maxWaiting, 8, 48, 3, 1, null, patience, patience, patience);
    }
}
