package io.idefics.engine;

import io.idefics.engine.Sequence.Phase;
import io.idefics.engine.StepPlan.Kind;
import io.idefics.engine.StepPlan.Row;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Priority;
import io.idefics.model.PixelValues;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.Deque;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Decides step by step which tokens of which sequences run, who waits, and who has memory. It belongs to one thread and
 * knows neither model nor clock.
 */
final class Scheduler {

    /*
     * Batches are formed anew for every step (Orca). Each decoding sequence has a row in every step; what is left of the
     * token budget goes to prefills, cut into chunks and the oldest first, so that long prompts do not hold up answers
     * (Sarathi-Serve). Memory is in blocks (vLLM): a sequence is admitted when there are image slots for all pictures
     * that its tokens see and blocks for its whole prompt, beyond a watermark that the growth of others may use.
     *
     * Who is admitted. Each client has a queue for each priority, strictly in order of arrival. The highest priority is
     * next; of it the head of the client with the fewest sequences in memory, among equals the one that arrived first. A
     * head that does not fit may be passed by the heads of other clients, MAX_PASSES times; from then on nobody is
     * admitted before it. It will fit: those in memory end, and a sequence that is too large for all memory is refused
     * when it comes. A sequence whose prompt is the same object as that of one in prefill stays in the queue until that
     * is through, and then finds it in the cache.
     *
     * Lower priorities do not starve: when MAX_OVERTAKES sequences of higher priorities were admitted while some of a
     * lower one waited, one of those is next, as if theirs were the highest. However many wait at a lower priority,
     * together they have one of MAX_OVERTAKES + 1 admissions.
     *
     * Seats. A sequence in PREFILL or DECODE has one of maxBatchSequences seats, so all that decode fit into one step.
     * A sequence in ENCODING has memory but no seat: it takes one when its pictures are there, before newcomers do. At
     * most maxBatchSequences sequences are in ENCODING.
     *
     * Preemption. When a decoding sequence needs a block and none is free or idle, the sequence admitted last of those
     * with the lowest claim loses its memory and goes back to the head of its queue; its tokens so far are prefilled
     * again later, of which the prefix cache saves what it can. The claim of a sequence is that of its queue: its
     * priority, and one higher after each step in which one of the queue was preempted, until one of it ends; so a low
     * priority is not preempted again and again. The sequence admitted first of the highest claim is never preempted, so
     * there is always progress.
     *
     * Invariants:
     * - `running` is in order of admission; within a client and priority that is the order of arrival.
     * - Rows are planned in order of claim, so a sequence that is preempted has none yet.
     * - What a plan says counts only after complete(): a plan that failed can be dropped, and the next one repeats it.
     *   The exception is a batch in the vision tower, which is in flight until one of the encoding... methods ends it.
     * - A sequence in DECODE has a token due (cached == length) between complete() and append(), and one token to run
     *   (cached + 1 == length) otherwise.
     *
     * Yu et al., Orca: A Distributed Serving System for Transformer-Based Generative Models, OSDI 2022.
     * Kwon et al., Efficient Memory Management for LLM Serving with PagedAttention, SOSP 2023.
     * Agrawal et al., Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve, OSDI 2024.
     */

    /** How often a head that does not fit is passed before it blocks the others. */
    static final int MAX_PASSES = 16;

    /** How many sequences of higher priorities are admitted before one of a lower priority that waits. */
    static final int MAX_OVERTAKES = 16;

    /** For how many tokens of a prompt logits are kept in one step. */
    static final int MAX_PROMPT_LOGITS = 64;

    /** How many heads that do not fit are looked at in one step. */
    private static final int MAX_LOOKS = 8;

    /**
     * The limits of a scheduler.
     *
     * @param maxBatchSequences the most sequences that run side by side
     * @param maxWaiting the most sequences in the queue
     * @param watermarkBlocks how many blocks an admission leaves for those that run already
     * @param maxEncodingImages the most pictures that enter the vision tower at once
     */
    record Limits(int maxBatchSequences, int maxWaiting, int watermarkBlocks, int maxEncodingImages) {

        Limits {
            if (maxBatchSequences < 1 || maxWaiting < 1 || watermarkBlocks < 0 || maxEncodingImages < 1) {
                throw new IllegalArgumentException("A scheduler needs limits of at least 1, not " + maxBatchSequences
                        + " sequences, " + maxWaiting + " waiting, " + maxEncodingImages
                        + " pictures, and a watermark of at least 0, not " + watermarkBlocks);
            }
        }
    }

    /** Whose turn it is. */
    private record Turn(String client, Priority priority) {

        static Turn of(Sequence sequence) {
            return new Turn(sequence.client(), sequence.priority());
        }
    }

    /** The sequences of one client and priority: those that wait, in order, and how many have memory. */
    private static final class Client {

        final Priority priority;
        final Deque<Sequence> waiting = new ArrayDeque<>();
        Priority claim;
        int running;

        Client(Priority priority) {
            this.priority = priority;
            this.claim = priority;
        }

        void raiseClaim() {
            claim = Priority.values()[Math.min(claim.ordinal() + 1, Priority.HIGH.ordinal())];
        }
    }

    private final Limits limits;
    private final PrefixCache prefixes;
    private final ImageCache images;
    private final Map<Turn, Client> clients = new LinkedHashMap<>();
    private final Map<Priority, Integer> overtaken = new EnumMap<>(Priority.class);
    private final List<Sequence> running = new ArrayList<>();
    private int waiting;
    private long preemptions;
    private int maxSequences;

    Scheduler(Limits limits, PrefixCache prefixes, ImageCache images) {
        this.limits = limits;
        this.maxSequences = limits.maxBatchSequences();
        this.prefixes = prefixes;
        this.images = images;
    }

    /** The number of sequences in the queue, preempted ones included. */
    int waiting() {
        return waiting;
    }

    /** The sequences that have memory, in order of admission. */
    List<Sequence> running() {
        return List.copyOf(running);
    }

    /** The same in order of claim: the last one has to give way first. */
    List<Sequence> byClaim() {
        return running.stream()
                .sorted(Comparator.comparing(this::claim).reversed())
                .toList();
    }

    /** Who has a lower claim than others has to give way to them. */
    Priority claim(Sequence sequence) {
        return client(sequence).claim;
    }

    long preemptions() {
        return preemptions;
    }

    PrefixCache prefixes() {
        return prefixes;
    }

    ImageCache images() {
        return images;
    }

    /** Whether there is neither a sequence nor a batch in the vision tower. */
    boolean isIdle() {
        return running.isEmpty() && waiting == 0 && !images.isEncoding();
    }

    /** From now on at most so many sequences are admitted to run side by side; those that run go on. */
    void limitSequences(int count) {
        maxSequences = Math.max(1, Math.min(count, limits.maxBatchSequences()));
    }

    /**
     * Puts a sequence into the queue.
     *
     * @return false when the queue is full
     * @throws GenerationException when the sequence would not fit if it were alone
     */
    boolean add(Sequence sequence) {
        requirePhase(sequence, Phase.WAITING);
        refuseTooLarge(sequence);
        if (waiting >= limits.maxWaiting) {
            return false;
        }
        client(sequence).waiting.addLast(sequence);
        waiting++;
        return true;
    }

    /** Cancels a sequence in any phase and frees all that it has; nothing happens if it has ended. */
    void remove(Sequence sequence) {
        if (sequence.phase() == Phase.WAITING) {
            Client client = clients.get(Turn.of(sequence));
            if (client != null && client.waiting.remove(sequence)) {
                waiting--;
                forgetIfGone(client, sequence);
            }
        } else if (!sequence.isFinished()) {
            release(sequence);
            forgetIfGone(client(sequence), sequence);
        }
        sequence.phase(Phase.FINISHED);
    }

    /**
     * Removes a sequence that computes no numbers any more, and forgets all that it read, so that others compute it anew.
     * What others read at this moment stays: they will find out themselves.
     */
    void discard(Sequence sequence) {
        List<PrefixCache.Node> path = List.copyOf(sequence.nodes());
        remove(sequence);
        prefixes.forget(path);
        sequence.picturesFrom(0).keySet().forEach(images::forget);
    }

    /** Removes the sequences whose time in the queue is over, and returns them. */
    List<Sequence> expire(long nowNanos) {
        List<Sequence> overdue = new ArrayList<>();
        for (Client client : clients.values()) {
            for (Sequence sequence : client.waiting) {
                if (sequence.isOverdue(nowNanos)) {
                    overdue.add(sequence);
                }
            }
        }
        overdue.forEach(this::remove);
        return overdue;
    }

    /** Plans the next step. */
    StepPlan schedule(StepBudget budget) {
        List<Row> rows = new ArrayList<>();
        List<Sequence> preempted = new ArrayList<>();
        seatReady();
        decode(rows, preempted);
        if (preempted.isEmpty()) {
            admit();
        }
        prefill(rows, budget.prefillTokens(rows.size()));
        return new StepPlan(images.beginEncoding(limits.maxEncodingImages), images.projections(), rows, preempted);
    }

    /** The projections and rows of a plan have run. Each row with logits then needs an append or a finish. */
    void complete(StepPlan plan) {
        plan.projections().forEach(projection -> images.projected(projection.digest()));
        for (Row row : plan.rows()) {
            Sequence sequence = row.sequence();
            if (sequence.isFinished()) {
                continue; // cancelled while the step ran
            }
            if (row.first() != sequence.cached()) {
                throw new IllegalStateException("A row from token " + row.first() + " for a sequence with "
                        + sequence.cached() + " tokens cached");
            }
            sequence.advance(row.count());
            prefixes.store(sequence);
            if (row.kind() != Kind.DECODE) {
                prefixes.countMisses(row.count());
            }
            if (row.kind() == Kind.LAST_CHUNK) {
                sequence.phase(Phase.DECODE);
            }
        }
    }

    /** Adds the token that was chosen for a sequence. */
    void append(Sequence sequence, int token) {
        sequence.append(token);
    }

    /** Ends a sequence whose last token was chosen. */
    void finish(Sequence sequence) {
        requirePhase(sequence, Phase.DECODE);
        Client client = client(sequence);
        client.claim = client.priority;
        remove(sequence);
    }

    /** The latents of the batch in the vision tower are in their slots. */
    void encoded() {
        images.endEncoding();
    }

    /** Whether a sequence still waits for a picture of the batch in the vision tower. */
    boolean isEncodingWanted() {
        return images.isEncodingWanted();
    }

    /** The batch was taken out of the vision tower; what is still wanted of it is encoded again. */
    void encodingAbandoned() {
        images.abandonEncoding();
    }

    /** The batch in the vision tower, which is of several pictures, failed: each is encoded again on its own. */
    void encodeApart() {
        images.encodeApart();
    }

    /** The batch in the vision tower failed: removes the sequences that waited for it, and returns them. */
    List<Sequence> encodingFailed() {
        return removeAllThatPin(images.abandonEncoding());
    }

    /** Projections failed, and their plan is dropped: removes the sequences that waited for them, and returns them. */
    List<Sequence> projectionFailed(List<ImageCache.Projection> projections) {
        List<String> digests =
                projections.stream().map(ImageCache.Projection::digest).toList();
        List<Sequence> failed = removeAllThatPin(digests);
        digests.forEach(images::dropLatents);
        return failed;
    }

    private void seatReady() {
        int seats = maxSequences - seated();
        for (Sequence sequence : running) {
            if (seats > 0
                    && sequence.phase() == Phase.ENCODING
                    && areReady(sequence.imageSlots().keySet())) {
                sequence.phase(Phase.PREFILL);
                seats--;
            }
        }
    }

    private void decode(List<Row> rows, List<Sequence> preempted) {
        List<Sequence> order = byClaim();
        Deque<Sequence> holders = new ArrayDeque<>(order);
        for (Sequence sequence : order) {
            while (sequence.phase() == Phase.DECODE && !prefixes.grow(sequence)) {
                Sequence victim = holders.removeLast();
                preempt(victim);
                preempted.add(victim);
            }
            if (sequence.phase() == Phase.DECODE) {
                if (sequence.cached() + 1 != sequence.length()) {
                    throw new IllegalStateException("A decoding sequence has " + sequence.cached() + " of "
                            + sequence.length() + " tokens cached: a token was not appended");
                }
                rows.add(new Row(sequence, sequence.cached(), 1, Kind.DECODE));
            }
        }
        preempted.stream().map(this::client).distinct().forEach(Client::raiseClaim);
    }

    private void prefill(List<Row> rows, int budget) {
        int left = budget;
        for (Sequence sequence : running) {
            if (left > 0 && sequence.phase() == Phase.PREFILL) {
                prefixes.catchUp(sequence);
                int due = sequence.length() - sequence.cached();
                int count = Math.min(Math.min(due, left), mostTokens(sequence));
                rows.add(new Row(sequence, sequence.cached(), count, count == due ? Kind.LAST_CHUNK : Kind.CHUNK));
                left -= count;
            }
        }
    }

    /** Logits take a lot of memory, so a chunk of which they are wanted is small. */
    private static int mostTokens(Sequence sequence) {
        int without = sequence.logitsFrom() - sequence.cached();
        return without > Integer.MAX_VALUE / 2 ? Integer.MAX_VALUE : Math.max(0, without) + MAX_PROMPT_LOGITS;
    }

    private void admit() {
        Set<Client> skipped = new LinkedHashSet<>();
        List<Sequence> unfit = new ArrayList<>();
        for (Client next = next(skipped); next != null; next = next(skipped)) {
            Sequence head = next.waiting.getFirst();
            if (waitsForTwin(head)) {
                skipped.add(next);
            } else if (admit(next, head)) {
                overtake(next.priority);
                unfit.forEach(Sequence::pass);
                if (unfit.stream().anyMatch(Scheduler::isPatienceOver)) {
                    return;
                }
            } else {
                skipped.add(next);
                unfit.add(head);
                if (isPatienceOver(head) || unfit.size() == MAX_LOOKS) {
                    return;
                }
            }
        }
    }

    /** The client whose head is to be admitted next, apart from some; null when there is none. */
    private @Nullable Client next(Set<Client> skipped) {
        Client best = null;
        for (Client client : clients.values()) {
            if (!client.waiting.isEmpty() && !skipped.contains(client) && (best == null || isBefore(client, best))) {
                best = client;
            }
        }
        return best;
    }

    private boolean isBefore(Client a, Client b) {
        Sequence headA = a.waiting.getFirst();
        Sequence headB = b.waiting.getFirst();
        if (isPatienceOver(headA) != isPatienceOver(headB)) {
            return isPatienceOver(headA);
        }
        if (isPatienceOver(headA)) {
            return headA.arrival() < headB.arrival();
        }
        if (isDue(a.priority) != isDue(b.priority)) {
            return isDue(a.priority);
        }
        if (a.priority != b.priority) {
            return a.priority.compareTo(b.priority) > 0;
        }
        return a.running != b.running ? a.running < b.running : headA.arrival() < headB.arrival();
    }

    /** Whether so many of higher priorities were admitted that one of this priority is next. */
    private boolean isDue(Priority priority) {
        return overtaken.getOrDefault(priority, 0) >= MAX_OVERTAKES;
    }

    /** Counts an admission for the lower priorities that wait. */
    private void overtake(Priority admitted) {
        for (Priority lower : EnumSet.range(Priority.LOW, admitted)) {
            if (lower != admitted && isWaiting(lower)) {
                overtaken.merge(lower, 1, Integer::sum);
            } else {
                overtaken.remove(lower);
            }
        }
    }

    private boolean isWaiting(Priority priority) {
        return clients.values().stream().anyMatch(client -> client.priority == priority && !client.waiting.isEmpty());
    }

    private static boolean isPatienceOver(Sequence head) {
        return head.passes() >= MAX_PASSES;
    }

    /** Whether a prompt that the cache can keep a part of is being prefilled for another choice of the same request. */
    private boolean waitsForTwin(Sequence head) {
        return head.promptLength() > prefixes.blockTokens()
                && running.stream().anyMatch(other -> other.input() == head.input() && other.phase() != Phase.DECODE);
    }

    private boolean admit(Client client, Sequence head) {
        List<PrefixCache.Node> path = prefixes.match(head);
        Map<String, PixelValues> pictures = head.picturesFrom(path.size() * prefixes.blockTokens());
        boolean ready = areReady(pictures.keySet());
        int places = maxSequences - (ready ? seated() : encoding());
        int spare = running.isEmpty() ? 0 : limits.watermarkBlocks;
        if (places <= 0 || !images.fits(pictures.keySet()) || !prefixes.fits(head, path, spare)) {
            return false;
        }
        prefixes.open(head, path);
        head.imageSlots(images.pinAll(pictures));
        head.phase(ready ? Phase.PREFILL : Phase.ENCODING);
        client.waiting.removeFirst();
        waiting--;
        client.running++;
        running.add(head);
        return true;
    }

    private void preempt(Sequence victim) {
        release(victim);
        victim.phase(Phase.WAITING);
        client(victim).waiting.addFirst(victim);
        waiting++;
        preemptions++;
    }

    private void release(Sequence sequence) {
        prefixes.close(sequence);
        sequence.imageSlots().keySet().forEach(images::unpin);
        sequence.imageSlots(Map.of());
        running.remove(sequence);
        client(sequence).running--;
    }

    private List<Sequence> removeAllThatPin(List<String> digests) {
        List<Sequence> failed = running.stream()
                .filter(sequence -> digests.stream().anyMatch(sequence.imageSlots()::containsKey))
                .toList();
        failed.forEach(this::remove);
        return failed;
    }

    private void refuseTooLarge(Sequence sequence) {
        long tokens = (long) sequence.promptLength() + sequence.maxTokens();
        long room = (long) prefixes.totalBlocks() * prefixes.blockTokens();
        if (tokens > room) {
            throw new GenerationException(
                    ErrorType.CONTEXT_LENGTH_EXCEEDED,
                    "The prompt and its answer may have " + tokens + " tokens, but there is memory for " + room + ".",
                    null);
        }
        int pictures = sequence.picturesFrom(0).size();
        if (pictures > images.imageSlots()) {
            throw new GenerationException(
                    ErrorType.INVALID_VALUE,
                    "The prompt has " + pictures + " different pictures, but there is memory for " + images.imageSlots()
                            + ".",
                    null);
        }
    }

    private boolean areReady(Collection<String> digests) {
        return digests.stream().allMatch(images::isReady);
    }

    private int seated() {
        return running.size() - encoding();
    }

    private int encoding() {
        return (int) running.stream()
                .filter(sequence -> sequence.phase() == Phase.ENCODING)
                .count();
    }

    private Client client(Sequence sequence) {
        return clients.computeIfAbsent(Turn.of(sequence), turn -> new Client(turn.priority()));
    }

    private void forgetIfGone(Client client, Sequence last) {
        if (client.running == 0 && client.waiting.isEmpty()) {
            clients.remove(Turn.of(last));
        }
    }

    private static void requirePhase(Sequence sequence, Phase phase) {
        if (sequence.phase() != phase) {
            throw new IllegalStateException("A sequence in phase " + sequence.phase() + " instead of " + phase);
        }
    }
}
