package io.idefics.engine;

import io.idefics.engine.Sequence.Phase;
import io.idefics.engine.StepPlan.Kind;
import io.idefics.engine.StepPlan.Row;
import io.idefics.generation.GenerationException;
import io.idefics.generation.Priority;
import io.idefics.model.ModelInput;
import io.idefics.model.PixelValues;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;

/** An engine loop in which everything happens at random, with little memory; the seed decides all of it. */
final class SchedulerWalk {

    /** The most steps from the arrival of a sequence to its end. */
    static final int PATIENCE = 1000;

    /** Names with one hash code. */
    private static final List<String> PICTURES =
            List.of("AaAaAa", "AaAaBB", "AaBBAa", "AaBBBB", "BBAaAa", "BBAaBB", "BBBBAa", "BBBBBB");

    /** Ids of which many arrays have one hash code, as 1, 0 and 0, 31 have. */
    private static final int[] VOCABULARY = {0, 1, 31};

    private static final int CLIENTS = 4;

    /** How many of higher priorities may be admitted before one of a lower priority that waits, those that do not fit included. */
    private static final int MOST_OVERTAKEN = Scheduler.MAX_OVERTAKES + (CLIENTS + 1) * Scheduler.MAX_PASSES;

    private static final int FAMILIES = 5;

    private final Random random;
    private final int blockTokens;
    private final Scheduler.Limits limits;
    private final BlockAllocator allocator;
    private final PrefixCache prefixes;
    private final ImageCache images;
    private final Scheduler scheduler;
    private final SimulatedDevice device;

    /** For each sequence that tells of its prompt, the token whose logits are due next. */
    private final Map<Sequence, Integer> due = new IdentityHashMap<>();

    /** Those of them of which something has been told. */
    private final Set<Sequence> begun = Collections.newSetFromMap(new IdentityHashMap<>());

    /** For each priority how many of higher ones were admitted since its last one, while it waited. */
    private final Map<Priority, Integer> overtaken = new EnumMap<>(Priority.class);

    private final Map<Sequence, Integer> live = new TreeMap<>((a, b) -> Long.compare(a.arrival(), b.arrival()));
    private List<ImageCache.Encoding> tower = List.of();
    private int towerSteps;
    private long arrivals;
    private long nanos;
    private int step;

    int refused;
    int tooLarge;
    int cancelled;
    int expired;
    int finished;
    int encodingFailures;
    int projectionFailures;
    int discarded;
    int stepFailures;
    int toldPrompts;
    int interrupted;
    int outOfTurn;
    int oldest;

    SchedulerWalk(long seed) {
        random = new Random(seed);
        blockTokens = between(2, 5);
        limits = new Scheduler.Limits(between(2, 6), between(4, 16), between(0, 3), between(1, 3));
        allocator = new BlockAllocator(between(20, 32), blockTokens);
        prefixes = new PrefixCache(allocator);
        images = new ImageCache(between(3, 5), between(1, 4));
        scheduler = new Scheduler(limits, prefixes, images);
        device = new SimulatedDevice(allocator.total(), blockTokens, images.imageSlots(), images.latentSlots());
    }

    PrefixCache prefixes() {
        return prefixes;
    }

    ImageCache images() {
        return images;
    }

    Scheduler scheduler() {
        return scheduler;
    }

    /** Takes so many steps, then lets what is there come to its end. */
    void run(int steps) {
        try {
            for (step = 0; step < steps; step++) {
                arrive();
                leave();
                iterate();
                checkAll();
            }
            for (int end = step + PATIENCE; !live.isEmpty(); step++) {
                require(step < end, live.size() + " sequences never end");
                iterate();
                checkAll();
            }
            endEncoding();
            require(allocator.free() + prefixes.cachedBlocks() == allocator.total(), "blocks are lost");
            require(images.freeImageSlots() + images.idleImages() == images.imageSlots(), "image slots are lost");
            require(images.freeLatentSlots() + images.idleLatents() == images.latentSlots(), "latent slots are lost");
            require(scheduler.isIdle(), "the scheduler is not idle");
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("At step " + step + ": " + e.getMessage(), e);
        }
    }

    private void arrive() {
        // Floods and calm take turns, so that the queue is full at times and memory is plenty at others.
        boolean flood = step / 300 % 3 != 0;
        if (!chance(flood ? 0.35 : 0.05)) {
            return;
        }
        int room = allocator.total() * blockTokens;
        int maxTokens = between(1, 24);
        boolean huge = chance(0.03); // as large as memory, or one token larger
        ModelInput input = randomInput(
                huge
                        ? Math.max(room - maxTokens + random.nextInt(2), 1)
                        : chance(0.1) ? between(30, 60) : between(1, 30));
        List<String> digests =
                input.images().stream().map(SchedulerWalk::digest).toList();
        String client = "client" + random.nextInt(CLIENTS);
        Priority priority = Priority.values()[random.nextInt(3)];
        int choices = chance(0.15) ? between(2, 4) : 1;
        for (int choice = 0; choice < choices; choice++) {
            long deadline = chance(0.3) ? nanos + between(0, 300) : Sequence.NO_DEADLINE;
            int tellsFrom = choice == 0 && chance(0.3) ? between(1, input.inputIds().length) : -1;
            Sequence sequence =
                    new Sequence(input, digests, maxTokens, tellsFrom, client, priority, arrivals++, deadline);
            int waiting = scheduler.waiting();
            boolean fits = sequence.promptLength() + maxTokens <= room
                    && new HashSet<>(seen(sequence)).size() <= images.imageSlots();
            try {
                boolean added = scheduler.add(sequence);
                require(fits, "a sequence that can never run was taken");
                require(added == waiting < limits.maxWaiting(), "add said " + added + " with " + waiting + " waiting");
                if (added) {
                    live.put(sequence, step);
                    if (tellsFrom > 0 && tellsFrom < sequence.promptLength()) {
                        due.put(sequence, tellsFrom - 1);
                    }
                } else {
                    refused++;
                }
            } catch (GenerationException e) {
                require(!fits, "a sequence that can run was refused: " + e.getMessage());
                tooLarge++;
            }
        }
    }

    private void leave() {
        if (!live.isEmpty() && chance(0.02)) {
            cancel(new ArrayList<>(live.keySet()).get(random.nextInt(live.size())));
        }
        nanos += between(0, 2);
        for (Sequence sequence : scheduler.expire(nanos)) {
            require(sequence.isFinished(), "an expired sequence is not finished");
            require(sequence.generated() == 0, "a sequence that had begun expired");
            require(live.remove(sequence) != null, "a sequence expired that was gone");
            expired++;
        }
    }

    /** One iteration of an engine. */
    private void iterate() {
        List<Sequence> before = scheduler.running();
        List<Sequence> decoding =
                before.stream().filter(s -> s.phase() == Phase.DECODE).toList();
        StepBudget budget = new StepBudget(between(2, 30), between(1, 10));
        List<Sequence> order = scheduler.byClaim();
        checkOrder(before, order);
        StepPlan plan = scheduler.schedule(budget);
        checkPlan(plan, budget, order, decoding);
        checkTurns(before);

        advanceTower(plan.encodings());
        if (!plan.projections().isEmpty() && chance(0.02)) {
            projectionFailures++;
            device.spoilImages(plan.projections());
            fail(
                    scheduler.projectionFailed(plan.projections()),
                    plan.projections().stream()
                            .map(ImageCache.Projection::digest)
                            .toList());
            return;
        }
        device.project(plan.projections());
        if (!plan.rows().isEmpty() && chance(0.02)) {
            stepFailures++;
            device.spoilTokens(plan.rows());
            if (chance(0.5)) {
                cancel(plan.rows().get(random.nextInt(plan.rows().size())).sequence());
            }
            return; // the plan is dropped
        }
        device.run(plan.rows());
        if (!plan.rows().isEmpty() && chance(0.01)) {
            cancel(plan.rows().get(random.nextInt(plan.rows().size())).sequence());
        }
        scheduler.complete(plan);
        for (Row row : plan.rows()) {
            if (!row.sequence().isFinished()) {
                tell(row);
            }
            if (row.logits() && !row.sequence().isFinished()) {
                sample(row.sequence());
            }
        }
    }

    /** The logits of each token of a prompt from the first that is wanted come once and in order. */
    private void tell(Row row) {
        Sequence sequence = row.sequence();
        int count = row.promptLogits();
        Integer next = due.get(sequence);
        int end = row.first() + row.count();
        if (next == null) {
            require(count == 0, "logits that nobody wants");
            return;
        }
        require(
                count == Math.max(0, Math.min(end, sequence.promptLength()) - next),
                "logits are missing or told again");
        require(count <= Scheduler.MAX_PROMPT_LOGITS, count + " logits of one row");
        require(row.logitsToKeep() == Math.max(count, row.logits() ? 1 : 0), "other logits are kept");
        require(count == 0 || end <= sequence.promptLength(), "logits of a prompt in a row with generated tokens");
        if (count > 0) {
            sequence.logitsFrom(end);
            due.put(sequence, end);
            begun.add(sequence);
        }
        if (end >= sequence.promptLength() - 1) {
            require(count > 0, "a prompt is told that is run already");
            due.remove(sequence);
            toldPrompts++;
        }
    }

    private void sample(Sequence sequence) {
        if (chance(0.005)) {
            discard(sequence);
            return;
        }
        scheduler.append(sequence, VOCABULARY[random.nextInt(VOCABULARY.length)]);
        if (sequence.generated() == sequence.maxTokens() || chance(0.03)) {
            scheduler.finish(sequence);
            live.remove(sequence);
            finished++;
        }
    }

    /** What a sequence read that computes no numbers any more is found by nobody. */
    private void discard(Sequence sequence) {
        scheduler.discard(sequence);
        live.remove(sequence);
        discarded++;
        List<String> digests =
                sequence.input().images().stream().map(SchedulerWalk::digest).toList();
        Sequence again = new Sequence(sequence.input(), digests, 1, "again", 0, Sequence.NO_DEADLINE);
        require(
                prefixes.match(again).stream().allMatch(node -> allocator.holders(node.block()) > 1),
                "blocks of a discarded sequence are found");
        require(
                seen(again).stream()
                        .allMatch(digest -> images.pins(digest) > 0
                                || images.state(digest) == ImageCache.State.ABSENT
                                || images.state(digest) == ImageCache.State.ENCODING),
                "pictures of a discarded sequence are found");
    }

    private void advanceTower(List<ImageCache.Encoding> begun) {
        if (!begun.isEmpty()) {
            require(tower.isEmpty(), "two batches in the tower");
            require(begun.size() <= limits.maxEncodingImages(), "a batch of " + begun.size() + " pictures");
            tower = begun;
            towerSteps = between(0, 6);
            for (ImageCache.Encoding encoding : begun) {
                require(digest(encoding.pixels()).equals(encoding.digest()), "the pixels of another picture");
            }
        } else if (!tower.isEmpty() && towerSteps-- <= 0) {
            endEncoding();
        }
    }

    private void endEncoding() {
        List<ImageCache.Encoding> batch = tower;
        tower = List.of();
        if (batch.isEmpty()) {
            return;
        }
        if (!scheduler.isEncodingWanted() || chance(0.05)) {
            device.spoilLatents(batch);
            scheduler.encodingAbandoned();
        } else if (batch.size() > 1 && chance(0.08)) {
            device.spoilLatents(batch);
            scheduler.encodeApart();
        } else if (chance(0.08)) {
            encodingFailures++;
            device.spoilLatents(batch);
            Set<Sequence> waited = new HashSet<>();
            for (Sequence sequence : scheduler.running()) {
                if (batch.stream().anyMatch(e -> sequence.imageSlots().containsKey(e.digest()))) {
                    waited.add(sequence);
                }
            }
            List<Sequence> failed = scheduler.encodingFailed();
            require(waited.equals(new HashSet<>(failed)), "other sequences failed than those that waited");
            fail(failed, batch.stream().map(ImageCache.Encoding::digest).toList());
        } else {
            device.encode(batch);
            scheduler.encoded();
        }
    }

    private void fail(List<Sequence> failed, List<String> digests) {
        for (Sequence sequence : failed) {
            require(sequence.isFinished(), "a failed sequence is not finished");
            require(seen(sequence).stream().anyMatch(digests::contains), "a sequence failed for a picture of others");
            live.remove(sequence);
        }
        for (String digest : digests) {
            require(images.pins(digest) == 0, "a failed picture is pinned");
        }
    }

    private void cancel(Sequence sequence) {
        scheduler.remove(sequence);
        require(sequence.blocks().length == 0 && sequence.imageSlots().isEmpty(), "a cancelled sequence has memory");
        live.remove(sequence);
        cancelled++;
    }

    /** Those with a higher claim first, and in order of admission among equals; no claim is below its priority. */
    private void checkOrder(List<Sequence> admitted, List<Sequence> order) {
        List<Sequence> expected = new ArrayList<>(admitted);
        expected.sort(Comparator.comparing(scheduler::claim, Comparator.reverseOrder()));
        require(expected.equals(order), "another order than that of claims");
        require(
                admitted.stream().allMatch(s -> scheduler.claim(s).compareTo(s.priority()) >= 0),
                "a claim below the priority");
    }

    /** Sequences of higher priorities go first, but not for ever. */
    private void checkTurns(List<Sequence> before) {
        Set<Sequence> old = new HashSet<>(before);
        for (Sequence admitted : scheduler.running()) {
            if (old.contains(admitted)) {
                continue;
            }
            overtaken.remove(admitted.priority());
            for (Priority priority : Priority.values()) {
                boolean waits =
                        live.keySet().stream().anyMatch(s -> s.phase() == Phase.WAITING && s.priority() == priority);
                if (!waits) {
                    overtaken.remove(priority);
                } else if (priority.compareTo(admitted.priority()) < 0) {
                    int count = overtaken.merge(priority, 1, Integer::sum);
                    require(count <= MOST_OVERTAKEN, count + " were admitted before one of " + priority + " priority");
                } else if (priority != admitted.priority()) {
                    outOfTurn++;
                }
            }
        }
    }

    /** @param before those that had memory, in order of claim */
    private void checkPlan(StepPlan plan, StepBudget budget, List<Sequence> before, List<Sequence> decoding) {
        Set<Sequence> decoded = new HashSet<>();
        Set<Sequence> rows = new HashSet<>();
        int prefill = 0;
        for (Row row : plan.rows()) {
            require(rows.add(row.sequence()), "two rows of one sequence");
            require(row.count() >= 1 && row.first() == row.sequence().cached(), "a row in the wrong place");
            if (row.kind() == Kind.DECODE) {
                require(prefill == 0, "a prefill before a decoding sequence");
                require(row.count() == 1, "a decode row of " + row.count() + " tokens");
                decoded.add(row.sequence());
            } else {
                prefill += row.count();
            }
            require(
                    row.logits() == (row.first() + row.count() == row.sequence().length()),
                    "logits in the middle of a sequence, or none at its end");
            checkWrites(row);
        }
        for (Sequence sequence : decoding) {
            require(
                    decoded.contains(sequence) != plan.preempted().contains(sequence),
                    "a decoding sequence neither runs nor was preempted");
        }
        require(prefill <= budget.prefillTokens(decoded.size()), prefill + " tokens of prefills with " + budget);
        require(plan.tokens() <= Math.max(budget.tokens(), decoded.size()), plan.tokens() + " tokens with " + budget);
        require(plan.rows().size() <= limits.maxBatchSequences(), plan.rows().size() + " rows");
        checkPrefillOrder(plan, budget.prefillTokens(decoded.size()) - prefill);
        if (!plan.preempted().isEmpty()) {
            interrupted += (int) plan.preempted().stream()
                    .filter(sequence -> due.containsKey(sequence) && begun.contains(sequence))
                    .count();
            require(
                    !plan.preempted().contains(before.get(0)),
                    "the sequence admitted first of the highest claim was preempted");
            List<Sequence> last = new ArrayList<>(
                    before.subList(before.size() - plan.preempted().size(), before.size()));
            require(
                    last.equals(reversed(plan.preempted())),
                    "others were preempted than those admitted last of the lowest claim");
        }
    }

    /** Only the youngest prefill may get less than it needs, and only when the budget is used up. */
    private void checkPrefillOrder(StepPlan plan, int left) {
        List<Sequence> prefilling = scheduler.running().stream()
                .filter(s -> s.phase() == Phase.PREFILL)
                .toList();
        List<Row> rows =
                plan.rows().stream().filter(row -> row.kind() != Kind.DECODE).toList();
        for (int i = 0; i < rows.size(); i++) {
            require(rows.get(i).sequence() == prefilling.get(i), "a younger prefill before an older one");
            boolean tellsMany = rows.get(i).promptLogits() == Scheduler.MAX_PROMPT_LOGITS;
            require(
                    rows.get(i).logits() || tellsMany || (i == rows.size() - 1 && left == 0),
                    "a prefill was cut without need");
        }
        require(rows.size() == prefilling.size() || left == 0, "a prefill stalls with " + left + " tokens left");
    }

    /** New tokens go to blocks that their sequence alone holds. */
    private void checkWrites(Row row) {
        int[] blocks = row.sequence().blocks();
        int last = row.first() + row.count() - 1;
        for (int block = row.first() / blockTokens; block <= last / blockTokens; block++) {
            require(
                    allocator.holders(blocks[block]) == 1 && !prefixes.isCached(blocks[block]),
                    "a shared block is written");
        }
    }

    private void checkAll() {
        checkBlocks();
        checkPictures();
        checkQueue();
        for (Map.Entry<Sequence, Integer> entry : live.entrySet()) {
            int age = step - entry.getValue();
            oldest = Math.max(oldest, age);
            require(age < PATIENCE, "a sequence in " + entry.getKey().phase() + " does not end in " + age + " steps");
        }
    }

    private void checkBlocks() {
        int[] holders = new int[allocator.total()];
        for (Sequence sequence : scheduler.running()) {
            int[] blocks = sequence.blocks();
            Set<Integer> own = new HashSet<>();
            for (int i = 0; i < blocks.length; i++) {
                require(own.add(blocks[i]), "a block twice in one table");
                holders[blocks[i]]++;
                boolean full = i < sequence.cached() / blockTokens;
                require(full == i < sequence.nodes().size(), "a full block that is not cached, or the reverse");
                require(!full || sequence.nodes().get(i).block() == blocks[i], "a table beside its nodes");
                require(full == prefixes.isCached(blocks[i]), "a cached block that is not full");
            }
            require(sequence.cached() <= blocks.length * blockTokens, "more tokens than blocks");
            require(sequence.length() <= blocks.length * blockTokens + 1, "a sequence with too few blocks");
        }
        int free = 0;
        int cached = 0;
        int idle = 0;
        int owned = 0;
        for (int block = 0; block < holders.length; block++) {
            boolean isCached = prefixes.isCached(block);
            require(isCached || holders[block] <= 1, "a block with two writers");
            require(
                    allocator.holders(block) == holders[block] + (isCached ? 1 : 0),
                    "block " + block + " counts " + allocator.holders(block) + " holders");
            free += allocator.holders(block) == 0 ? 1 : 0;
            cached += isCached ? 1 : 0;
            idle += isCached && holders[block] == 0 ? 1 : 0;
            owned += !isCached && holders[block] == 1 ? 1 : 0;
        }
        require(free == allocator.free(), "free blocks");
        require(cached == prefixes.cachedBlocks(), "cached blocks");
        require(idle == prefixes.idleBlocks(), "idle blocks");
        require(free + cached + owned == allocator.total(), "blocks do not add up");
    }

    private void checkPictures() {
        Map<String, Integer> pins = new HashMap<>();
        Map<String, Integer> slots = new HashMap<>();
        for (Sequence sequence : scheduler.running()) {
            sequence.imageSlots().forEach((digest, slot) -> {
                pins.merge(digest, 1, Integer::sum);
                Integer other = slots.put(digest, slot);
                require(other == null || other.equals(slot), "one picture in two slots");
                require(
                        sequence.phase() == Phase.ENCODING || images.isReady(digest),
                        "a sequence runs without its pictures");
            });
        }
        require(new HashSet<>(slots.values()).size() == slots.size(), "two pictures in one slot");
        for (int picture = 0; picture < PICTURES.size(); picture++) {
            String digest = digest(pixels(picture));
            require(images.pins(digest) == pins.getOrDefault(digest, 0), "pins of " + digest);
        }
        require(
                images.freeImageSlots() + images.idleImages() + slots.size() == images.imageSlots(),
                "image slots do not add up");
        require(
                images.freeLatentSlots()
                                + images.idleLatents()
                                + tower.size()
                                + images.projections().size()
                        == images.latentSlots(),
                "latent slots do not add up");
    }

    private void checkQueue() {
        Map<String, Long> lastRunning = new HashMap<>(); // by client and priority
        Set<ModelInput> prefilling = Collections.newSetFromMap(new IdentityHashMap<>());
        int encoding = 0;
        for (Sequence sequence : scheduler.running()) {
            require(live.containsKey(sequence), "a sequence runs that has ended");
            Long before = lastRunning.put(turn(sequence), sequence.arrival());
            require(before == null || before < sequence.arrival(), "a client's sequences are admitted out of order");
            encoding += sequence.phase() == Phase.ENCODING ? 1 : 0;
            if (sequence.phase() != Phase.DECODE && sequence.promptLength() > blockTokens) {
                require(prefilling.add(sequence.input()), "one prompt is prefilled twice at once");
            }
        }
        int running = scheduler.running().size();
        require(encoding <= limits.maxBatchSequences(), encoding + " sequences wait for pictures");
        require(running - encoding <= limits.maxBatchSequences(), running - encoding + " sequences run");
        int waiting = 0;
        for (Sequence sequence : live.keySet()) {
            if (sequence.phase() == Phase.WAITING) {
                waiting++;
                require(
                        lastRunning.getOrDefault(turn(sequence), -1L) < sequence.arrival(),
                        "a sequence was overtaken by a later one of its client");
                require(sequence.blocks().length == 0 && sequence.imageSlots().isEmpty(), "memory in the queue");
            }
        }
        require(waiting == scheduler.waiting(), scheduler.waiting() + " waiting instead of " + waiting);
        require(waiting + running == live.size(), "sequences are lost");
    }

    /** A prompt that begins like others, with the same pictures or others. */
    private ModelInput randomInput(int length) {
        Random family = new Random(random.nextInt(FAMILIES));
        int shared = between(0, length);
        int[] ids = new int[length];
        Arrays.setAll(ids, t -> VOCABULARY[(t < shared ? family : random).nextInt(VOCABULARY.length)]);

        List<PixelValues> pictures = new ArrayList<>();
        int[] imageIndex = new int[length];
        Arrays.fill(imageIndex, -1);
        int most = chance(0.02) ? 6 : chance(0.4) ? 0 : between(1, 3);
        int at = 0;
        while (pictures.size() < most && at < length) {
            Arrays.fill(imageIndex, at, length, pictures.size());
            pictures.add(pixels(chance(0.5) ? random.nextInt(2) : random.nextInt(PICTURES.size())));
            at += between(1, 8);
        }
        return new ModelInput(ids, imageIndex, pictures);
    }

    private static String turn(Sequence sequence) {
        return sequence.client() + " " + sequence.priority();
    }

    private static List<String> seen(Sequence sequence) {
        List<String> digests = new ArrayList<>();
        for (int token = 0; token < sequence.promptLength(); token++) {
            String digest = sequence.digest(token);
            if (digest != null) {
                digests.add(digest);
            }
        }
        return digests;
    }

    private static PixelValues pixels(int picture) {
        return new PixelValues(new float[] {picture}, 1);
    }

    private static String digest(PixelValues pixels) {
        return PICTURES.get((int) pixels.values()[0]);
    }

    private static List<Sequence> reversed(List<Sequence> sequences) {
        List<Sequence> reversed = new ArrayList<>(sequences);
        Collections.reverse(reversed);
        return reversed;
    }

    private boolean chance(double probability) {
        return random.nextDouble() < probability;
    }

    private int between(int least, int most) {
        return least + random.nextInt(most - least + 1);
    }

    private static void require(boolean holds, String message) {
        if (!holds) {
            throw new AssertionError(message);
        }
    }
}
