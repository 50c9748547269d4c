package io.idefics.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.idefics.engine.Sequence.Phase;
import io.idefics.engine.StepPlan.Kind;
import io.idefics.engine.StepPlan.Row;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Priority;
import io.idefics.model.ModelInput;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SchedulerTest {

    private static final StepBudget PLENTY = new StepBudget(1000, 1000);

    private final Scheduler scheduler = scheduler(4, 100);

    @Test
    void schedule_shortPrompt_runsItAtOnce() {
        Sequence sequence = add(TestSequence.prompt(1, 10));

        StepPlan plan = scheduler.schedule(PLENTY);

        assertThat(plan.rows()).containsExactly(new Row(sequence, 0, 10, Kind.LAST_CHUNK));
        assertThat(plan.rows().get(0).logits()).isTrue();
        assertThat(sequence.phase()).isEqualTo(Phase.PREFILL);
        scheduler.complete(plan);
        assertThat(sequence.phase()).isEqualTo(Phase.DECODE);
        assertThat(sequence.cached()).isEqualTo(10);
    }

    @Test
    void schedule_longPrompt_isCutIntoChunks() {
        Sequence sequence = add(TestSequence.prompt(1, 10));

        assertThat(step(new StepBudget(4, 4)).rows()).containsExactly(new Row(sequence, 0, 4, Kind.CHUNK));
        assertThat(step(new StepBudget(4, 4)).rows()).containsExactly(new Row(sequence, 4, 4, Kind.CHUNK));
        assertThat(step(new StepBudget(4, 4)).rows()).containsExactly(new Row(sequence, 8, 2, Kind.LAST_CHUNK));
        assertThat(step(new StepBudget(4, 4)).rows()).containsExactly(new Row(sequence, 10, 1, Kind.DECODE));
    }

    @Test
    void schedule_prefillBesideDecode_hasTheSmallerBudget() {
        Sequence first = add(TestSequence.prompt(1, 4));
        step(PLENTY);
        Sequence second = add(TestSequence.prompt(100, 10));

        StepPlan plan = step(new StepBudget(8, 3));

        assertThat(plan.rows()).containsExactly(new Row(first, 4, 1, Kind.DECODE), new Row(second, 0, 3, Kind.CHUNK));
        assertThat(plan.tokens()).isEqualTo(4);
    }

    @Test
    void schedule_budgetSmallerThanDecodes_runsThemAll() {
        add(TestSequence.prompt(1, 4));
        add(TestSequence.prompt(100, 4));
        step(PLENTY);
        add(TestSequence.prompt(200, 4));

        assertThat(step(new StepBudget(1, 8)).rows()).extracting(Row::kind).containsExactly(Kind.DECODE, Kind.DECODE);
        assertThat(step(new StepBudget(3, 8)).rows())
                .extracting(Row::kind)
                .containsExactly(Kind.DECODE, Kind.DECODE, Kind.CHUNK);
    }

    @Test
    void schedule_twoPrefills_theOldestComesFirst() {
        Sequence first = add(TestSequence.prompt(1, 6));
        Sequence second = add(TestSequence.prompt(100, 6));

        assertThat(step(new StepBudget(8, 8)).rows())
                .containsExactly(new Row(first, 0, 6, Kind.LAST_CHUNK), new Row(second, 0, 2, Kind.CHUNK));
    }

    @Test
    void schedule_allSeatsTaken_makesOthersWait() {
        List<Sequence> sequences = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            sequences.add(add(TestSequence.prompt(100 * i, 4)));
        }

        step(PLENTY);
        assertThat(sequences.get(4).phase()).isEqualTo(Phase.WAITING);
        assertThat(scheduler.waiting()).isEqualTo(1);

        scheduler.finish(sequences.get(1));
        step(PLENTY);
        assertThat(scheduler.running())
                .containsExactly(sequences.get(0), sequences.get(2), sequences.get(3), sequences.get(4));
    }

    @Test
    void schedule_planDropped_isRepeated() {
        add(TestSequence.prompt(1, 10));
        Sequence decoding = add(TestSequence.prompt(100, 8));
        step(new StepBudget(18, 18));
        StepPlan dropped = scheduler.schedule(PLENTY);

        assertThat(scheduler.schedule(PLENTY)).isEqualTo(dropped);
        assertThat(decoding.blocks()).hasSize(3);
    }

    @Test
    void schedule_tokenNotAppended_throws() {
        add(TestSequence.prompt(1, 4));
        scheduler.complete(scheduler.schedule(PLENTY));

        assertThatThrownBy(() -> scheduler.schedule(PLENTY)).hasMessageContaining("a token was not appended");
    }

    @Test
    void complete_rowOfAnEarlierPlan_throws() {
        add(TestSequence.prompt(1, 10));
        StepPlan plan = scheduler.schedule(new StepBudget(4, 4));
        scheduler.complete(plan);

        assertThatThrownBy(() -> scheduler.complete(plan))
                .hasMessage("A row from token 0 for a sequence with 4 tokens cached");
    }

    @Test
    void complete_cancelledWhileTheStepRan_isLeftOut() {
        Sequence sequence = add(TestSequence.prompt(1, 10));
        StepPlan plan = scheduler.schedule(PLENTY);
        scheduler.remove(sequence);

        scheduler.complete(plan);

        assertThat(sequence.phase()).isEqualTo(Phase.FINISHED);
        assertThat(scheduler.prefixes().cachedBlocks()).isZero();
        assertThat(scheduler.isIdle()).isTrue();
    }

    @Test
    void add_queueFull_isFalse() {
        Scheduler small = scheduler(1, 8, 2, 0);

        assertThat(small.add(TestSequence.prompt(1, 4).build())).isTrue();
        assertThat(small.add(TestSequence.prompt(1, 4).build())).isTrue();
        assertThat(small.add(TestSequence.prompt(1, 4).build())).isFalse();

        small.schedule(PLENTY);
        assertThat(small.add(TestSequence.prompt(1, 4).build())).isTrue();
    }

    @Test
    void add_moreTokensThanMemory_throws() {
        Scheduler small = scheduler(1, 8, 4, 0);

        assertThat(small.add(TestSequence.prompt(1, 20).maxTokens(12).build())).isTrue();
        assertThatThrownBy(
                        () -> small.add(TestSequence.prompt(1, 20).maxTokens(13).build()))
                .isInstanceOf(GenerationException.class)
                .hasFieldOrPropertyWithValue("type", ErrorType.CONTEXT_LENGTH_EXCEEDED)
                .hasMessage("The prompt and its answer may have 33 tokens, but there is memory for 32.");
        assertThat(small.waiting()).isEqualTo(1);
    }

    @Test
    void add_morePicturesThanSlots_throws() {
        List<String> four = List.of("a", "b", "c", "d");

        assertThat(scheduler.add(TestSequence.prompt(1, 8)
                        .pictures(List.of("a", "b", "c", "a"), 0, 1, 2, 3)
                        .build()))
                .isTrue();
        assertThatThrownBy(() -> scheduler.add(
                        TestSequence.prompt(1, 8).pictures(four, 0, 1, 2, 3).build()))
                .isInstanceOf(GenerationException.class)
                .hasFieldOrPropertyWithValue("type", ErrorType.INVALID_VALUE)
                .hasMessage("The prompt has 4 different pictures, but there is memory for 3.");
    }

    @Test
    void schedule_severalClients_theOneWithFewestRunningIsNext() {
        Scheduler two = scheduler(2, 100, 64, 0);
        Sequence a1 = TestSequence.prompt(100, 4).client("a").build();
        Sequence a2 = TestSequence.prompt(200, 4).client("a").build();
        Sequence b1 = TestSequence.prompt(300, 4).client("b").build();
        for (Sequence sequence : List.of(a1, a2, b1)) {
            two.add(sequence);
        }

        two.schedule(PLENTY);

        assertThat(two.running()).containsExactly(a1, b1);
    }

    @Test
    void schedule_clientsAlike_theEarliestArrivalIsNext() {
        Scheduler one = scheduler(1, 100, 64, 0);
        Sequence first = TestSequence.prompt(100, 4).client("b").build();
        Sequence second = TestSequence.prompt(200, 4).client("a").build();
        one.add(second);
        one.add(first);

        one.schedule(PLENTY);

        assertThat(one.running()).containsExactly(first);
    }

    @Test
    void schedule_higherPriority_isNextWhateverItsClientHasRunning() {
        Scheduler two = scheduler(2, 100, 64, 0);
        Sequence low =
                TestSequence.prompt(100, 4).client("a").priority(Priority.LOW).build();
        Sequence normal = TestSequence.prompt(200, 4).client("b").build();
        Sequence high1 =
                TestSequence.prompt(300, 4).client("c").priority(Priority.HIGH).build();
        Sequence high2 =
                TestSequence.prompt(400, 4).client("c").priority(Priority.HIGH).build();
        for (Sequence sequence : List.of(low, normal, high1, high2)) {
            two.add(sequence);
        }

        step(two, PLENTY);
        assertThat(two.running()).containsExactly(high1, high2);

        two.finish(high1);
        two.finish(high2);
        step(two, PLENTY);
        assertThat(two.running()).containsExactly(normal, low);
    }

    @Test
    void schedule_oneClientWithSeveralPriorities_theHigherOneIsNotHeldUp() {
        Scheduler one = scheduler(1, 100, 64, 0);
        Sequence low = TestSequence.prompt(100, 4).priority(Priority.LOW).build();
        Sequence high = TestSequence.prompt(200, 4).priority(Priority.HIGH).build();
        one.add(low);
        one.add(high);

        step(one, PLENTY);
        assertThat(one.running()).containsExactly(high);
        one.remove(low);
        assertThat(one.waiting()).isZero();
    }

    @Test
    void schedule_lowPriorityBehindAFloodOfHigher_hasATurnAfterSoMany() {
        Scheduler one = scheduler(1, 100, 64, 0);
        Sequence normal = TestSequence.prompt(1, 4).build();
        Sequence low1 =
                TestSequence.prompt(2, 4).client("a").priority(Priority.LOW).build();
        Sequence low2 =
                TestSequence.prompt(3, 4).client("b").priority(Priority.LOW).build();
        for (Sequence sequence : List.of(low1, low2, normal)) {
            one.add(sequence);
        }
        List<Sequence> admitted = new ArrayList<>();
        for (int i = 0; i < 2 * Scheduler.MAX_OVERTAKES + 3; i++) {
            one.add(TestSequence.prompt(100 + 10 * i, 4).priority(Priority.HIGH).build());
            step(one, PLENTY);
            Sequence running = one.running().get(0);
            admitted.add(running);
            one.finish(running);
        }

        int turn = Scheduler.MAX_OVERTAKES;
        assertThat(admitted.subList(0, turn)).extracting(Sequence::priority).containsOnly(Priority.HIGH);
        assertThat(admitted.subList(turn, turn + 2)).containsExactly(normal, low1);
        assertThat(admitted.subList(turn + 2, 2 * turn + 2))
                .extracting(Sequence::priority)
                .containsOnly(Priority.HIGH);
        assertThat(admitted.get(2 * turn + 2)).isSameAs(low2);
    }

    @Test
    void schedule_lowPriorityTooLarge_isPassedAndThenBlocksEvenHigherOnes() {
        Scheduler tight = scheduler(4, 10, 64, 0);
        Sequence holder =
                TestSequence.prompt(1, 20).maxTokens(20).client("holder").build();
        tight.add(holder);
        step(tight, PLENTY);
        Sequence large = TestSequence.prompt(500, 30)
                .client("large")
                .priority(Priority.LOW)
                .build();
        tight.add(large);
        for (int i = 0; i < Scheduler.MAX_OVERTAKES + Scheduler.MAX_PASSES; i++) {
            Sequence small = TestSequence.prompt(1000 + 10 * i, 2)
                    .priority(Priority.HIGH)
                    .build();
            tight.add(small);
            tight.schedule(PLENTY);
            assertThat(small.phase()).as("small one %d", i).isEqualTo(Phase.PREFILL);
            tight.remove(small);
        }

        Sequence late = TestSequence.prompt(2000, 2).priority(Priority.HIGH).build();
        tight.add(late);
        tight.schedule(PLENTY);
        assertThat(late.phase()).isEqualTo(Phase.WAITING);

        tight.remove(holder);
        tight.schedule(PLENTY);
        assertThat(tight.running()).containsExactly(large, late);
    }

    @Test
    void schedule_headTooLarge_isPassedSoManyTimesAndNoMore() {
        Scheduler tight = scheduler(4, 10, 64, 0);
        Sequence holder =
                TestSequence.prompt(1, 20).maxTokens(20).client("holder").build();
        tight.add(holder);
        step(tight, PLENTY);
        Sequence large = TestSequence.prompt(500, 30).client("large").build();
        tight.add(large);
        // The large one needs 8 blocks and holder has 6 of 10.
        for (int i = 0; i < Scheduler.MAX_PASSES; i++) {
            Sequence small =
                    TestSequence.prompt(1000 + 10 * i, 2).client("small" + i).build();
            tight.add(small);
            tight.schedule(PLENTY);
            assertThat(small.phase()).as("small one %d", i).isEqualTo(Phase.PREFILL);
            tight.remove(small);
        }

        Sequence late = TestSequence.prompt(2000, 2).client("late").build();
        tight.add(late);
        tight.schedule(PLENTY);
        assertThat(late.phase()).isEqualTo(Phase.WAITING);

        tight.remove(holder);
        tight.schedule(PLENTY);
        assertThat(large.phase()).isEqualTo(Phase.PREFILL);
        assertThat(late.phase()).isEqualTo(Phase.PREFILL);
    }

    @Test
    void schedule_headTooLarge_isNotPassedByItsOwnClient() {
        Scheduler tight = scheduler(4, 10, 64, 0);
        tight.add(TestSequence.prompt(1, 20).client("holder").build());
        step(tight, PLENTY);
        tight.add(TestSequence.prompt(500, 30).client("a").build());
        Sequence small = TestSequence.prompt(600, 2).client("a").build();
        tight.add(small);

        tight.schedule(PLENTY);

        assertThat(small.phase()).isEqualTo(Phase.WAITING);
    }

    @Test
    void schedule_watermark_isKeptForThoseThatRun() {
        Scheduler tight = scheduler(4, 10, 64, 2);
        tight.add(TestSequence.prompt(1, 16).client("a").build());
        step(tight, PLENTY);
        Sequence large = TestSequence.prompt(100, 20).client("b").build(); // 5 of 6 blocks
        tight.add(large);

        step(tight, PLENTY);
        assertThat(large.phase()).isEqualTo(Phase.WAITING);

        Sequence alone = tight.running().get(0);
        tight.remove(alone);
        step(tight, PLENTY);
        assertThat(large.phase()).isEqualTo(Phase.DECODE);
    }

    @Test
    void schedule_promptAsLargeAsMemory_needsNoWatermarkWhenAlone() {
        Scheduler tight = scheduler(4, 10, 64, 2);
        Sequence large = TestSequence.prompt(1, 39).maxTokens(1).build();
        tight.add(large);

        tight.schedule(PLENTY);

        assertThat(large.phase()).isEqualTo(Phase.PREFILL);
    }

    @Test
    void schedule_choicesOfOneRequest_waitForTheFirstAndShareItsPrompt() {
        TestSequence prompt = TestSequence.prompt(1, 10);
        ModelInput input = prompt.input();
        Sequence first = prompt.build(input);
        Sequence second = prompt.build(input);
        Sequence equal = prompt.client("other").build();
        for (Sequence sequence : List.of(first, second, equal)) {
            scheduler.add(sequence);
        }

        step(new StepBudget(6, 6));
        assertThat(scheduler.running()).containsExactly(first, equal);

        step(new StepBudget(20, 20));
        step(new StepBudget(20, 20));
        assertThat(scheduler.running()).containsExactly(first, equal, second);
        assertThat(second.reused()).isEqualTo(8);
    }

    @Test
    void schedule_firstChoiceCancelled_freesTheOthers() {
        TestSequence prompt = TestSequence.prompt(1, 10);
        ModelInput input = prompt.input();
        Sequence first = prompt.build(input);
        Sequence second = prompt.build(input);
        scheduler.add(first);
        scheduler.add(second);
        step(new StepBudget(4, 4));

        scheduler.remove(first);
        step(PLENTY);

        assertThat(second.phase()).isEqualTo(Phase.DECODE);
    }

    @Test
    void schedule_noBlockLeft_preemptsTheLastAdmittedAndGoesOn() {
        Scheduler tight = scheduler(4, 6, 64, 0);
        Sequence first = TestSequence.prompt(100, 8).maxTokens(8).client("a").build();
        Sequence second = TestSequence.prompt(200, 11).maxTokens(8).client("b").build();
        tight.add(first);
        tight.add(second);
        step(tight, PLENTY); // 2 and 3 blocks of 6
        step(tight, PLENTY); // the first has 3
        step(tight, PLENTY); // the second needs a fourth
        assertThat(second.phase()).isEqualTo(Phase.WAITING);
        assertThat(second.generated()).isEqualTo(2);
        assertThat(tight.preemptions()).isEqualTo(1);
        assertThat(first.phase()).isEqualTo(Phase.DECODE);

        Sequence later = TestSequence.prompt(300, 4).client("b").build();
        tight.add(later);
        tight.finish(first);
        StepPlan plan = step(tight, PLENTY);

        // All 13 tokens are prefilled, of which the cache still has 12, and the answer goes on.
        assertThat(plan.rows().get(0)).isEqualTo(new Row(second, 12, 1, Kind.LAST_CHUNK));
        assertThat(second.generated()).isEqualTo(3);
        assertThat(tight.running()).containsExactly(second, later);
    }

    @Test
    void schedule_noBlockLeft_preemptsTheLowestPriorityThoughItCameFirst() {
        Scheduler tight = scheduler(4, 6, 64, 0);
        Sequence low = TestSequence.prompt(100, 8).priority(Priority.LOW).build();
        tight.add(low);
        step(tight, PLENTY); // 2 blocks of 6
        Sequence high = TestSequence.prompt(200, 11).priority(Priority.HIGH).build();
        tight.add(high);
        step(tight, PLENTY); // the low one has 3, as the high one
        step(tight, PLENTY);
        StepPlan plan = step(tight, PLENTY); // the high one needs a fourth

        assertThat(plan.preempted()).containsExactly(low);
        assertThat(plan.rows()).extracting(Row::sequence).containsExactly(high);
        assertThat(low.phase()).isEqualTo(Phase.WAITING);
        assertThat(high.phase()).isEqualTo(Phase.DECODE);
    }

    @Test
    void schedule_lowPriorityNeedsABlock_givesWayItself() {
        Scheduler tight = scheduler(4, 6, 64, 0);
        Sequence low = TestSequence.prompt(100, 11).priority(Priority.LOW).build();
        tight.add(low);
        step(tight, PLENTY); // 3 blocks of 6
        Sequence high = TestSequence.prompt(200, 9).priority(Priority.HIGH).build();
        tight.add(high);
        step(tight, PLENTY); // 3 blocks each
        StepPlan plan = step(tight, PLENTY); // the low one needs a fourth

        assertThat(plan.preempted()).containsExactly(low);
        assertThat(plan.rows()).extracting(Row::sequence).containsExactly(high);
    }

    @Test
    void schedule_preemptedForHigherOnes_claimsMoreUntilItEnds() {
        Scheduler tight = scheduler(4, 6, 64, 0);
        Sequence low =
                TestSequence.prompt(100, 8).maxTokens(16).priority(Priority.LOW).build();
        tight.add(low);
        step(tight, PLENTY);
        assertThat(tight.claim(low)).isEqualTo(Priority.LOW);
        for (Priority claim : List.of(Priority.NORMAL, Priority.HIGH)) {
            Sequence high = TestSequence.prompt(200, 11).priority(Priority.HIGH).build();
            tight.add(high);
            while (low.phase() != Phase.WAITING) {
                step(tight, PLENTY);
            }
            tight.remove(high);
            step(tight, PLENTY);
            assertThat(low.phase()).isEqualTo(Phase.DECODE);
            assertThat(tight.claim(low)).isEqualTo(claim);
        }

        Sequence high = TestSequence.prompt(300, 4).priority(Priority.HIGH).build();
        tight.add(high);
        step(tight, PLENTY);
        assertThat(tight.byClaim()).containsExactly(low, high);
        tight.remove(high);
        Sequence next = TestSequence.prompt(400, 4).priority(Priority.LOW).build();
        tight.add(next);
        step(tight, PLENTY);
        tight.finish(low);
        assertThat(tight.claim(next)).isEqualTo(Priority.LOW);
    }

    @Test
    void schedule_pictures_areEncodedThenProjectedThenRun() {
        Sequence sequence = add(TestSequence.prompt(1, 4).pictures(List.of("cat", "dog"), 0, 2));

        StepPlan encode = step(PLENTY);
        assertThat(encode.encodings()).extracting(ImageCache.Encoding::digest).containsExactly("cat", "dog");
        assertThat(encode.rows()).isEmpty();
        assertThat(sequence.phase()).isEqualTo(Phase.ENCODING);
        assertThat(step(PLENTY).isEmpty()).isTrue();

        scheduler.encoded();
        StepPlan run = scheduler.schedule(PLENTY);
        assertThat(run.projections()).extracting(ImageCache.Projection::digest).containsExactly("cat", "dog");
        assertThat(run.rows()).containsExactly(new Row(sequence, 0, 4, Kind.LAST_CHUNK));
        int cat = run.projections().get(0).imageSlot();
        int dog = run.projections().get(1).imageSlot();
        assertThat(sequence.imageSlots(0, 4)).containsExactly(cat, cat, dog, dog);
    }

    @Test
    void schedule_projectionDropped_isRepeated() {
        add(TestSequence.prompt(1, 4).picture("cat"));
        step(PLENTY);
        scheduler.encoded();
        StepPlan dropped = scheduler.schedule(PLENTY);

        assertThat(dropped.projections()).hasSize(1);
        assertThat(scheduler.schedule(PLENTY)).isEqualTo(dropped);
        scheduler.complete(dropped);
        assertThat(scheduler.images().projections()).isEmpty();
    }

    @Test
    void schedule_sequenceWaitsForItsPicture_doesNotBlockText() {
        Scheduler one = scheduler(1, 100, 64, 0);
        Sequence picture = TestSequence.prompt(1, 4).picture("cat").build();
        Sequence text = TestSequence.prompt(100, 4).build();
        one.add(picture);
        one.add(text);

        step(one, PLENTY);
        assertThat(text.phase()).isEqualTo(Phase.DECODE);

        one.encoded();
        step(one, PLENTY);
        assertThat(picture.phase()).as("the only seat is taken").isEqualTo(Phase.ENCODING);

        one.add(TestSequence.prompt(200, 4).build());
        one.finish(text);
        step(one, PLENTY);
        assertThat(picture.phase()).isEqualTo(Phase.DECODE);
    }

    @Test
    void schedule_tokensOfThePictureCached_doesNotNeedIt() {
        List<String> pictures = List.of("cat", "dog");
        Sequence first = add(TestSequence.prompt(1, 10).pictures(pictures, 0, 8));
        step(PLENTY);
        scheduler.encoded();
        step(PLENTY);
        scheduler.finish(first);

        Sequence second = add(TestSequence.prompt(1, 10).pictures(pictures, 0, 8));
        step(PLENTY);

        assertThat(second.imageSlots()).containsOnlyKeys("dog");
        assertThat(second.phase()).isEqualTo(Phase.DECODE);
    }

    @Test
    void schedule_noImageSlot_waits() {
        Sequence first = add(TestSequence.prompt(1, 4).pictures(List.of("a", "b"), 0, 1));
        Sequence second = add(TestSequence.prompt(100, 4).pictures(List.of("c", "d"), 0, 1));

        step(PLENTY);
        assertThat(second.phase()).isEqualTo(Phase.WAITING);

        scheduler.remove(first);
        step(PLENTY);
        assertThat(second.phase()).isEqualTo(Phase.ENCODING);
    }

    @Test
    void encodingFailed_batch_failsThoseThatWait() {
        Sequence cat = add(TestSequence.prompt(1, 4).picture("cat"));
        Sequence alsoCat = add(TestSequence.prompt(100, 4).picture("cat"));
        Sequence text = add(TestSequence.prompt(200, 4));
        step(PLENTY);
        Sequence dog = add(TestSequence.prompt(300, 4).picture("dog"));
        step(PLENTY);

        assertThat(scheduler.encodingFailed()).containsExactly(cat, alsoCat);

        assertThat(cat.isFinished()).isTrue();
        assertThat(scheduler.running()).containsExactly(text, dog);
        assertThat(scheduler.images().freeImageSlots()).isEqualTo(2);
        assertThat(scheduler.images().freeLatentSlots()).isEqualTo(3);
        assertThat(step(PLENTY).encodings())
                .extracting(ImageCache.Encoding::digest)
                .containsExactly("dog");
    }

    @Test
    void encodingAbandoned_sequenceStillWaits_beginsAgain() {
        add(TestSequence.prompt(1, 4).picture("cat"));
        step(PLENTY);
        assertThat(scheduler.isEncodingWanted()).isTrue();

        scheduler.encodingAbandoned();

        assertThat(step(PLENTY).encodings()).hasSize(1);
    }

    @Test
    void isEncodingWanted_sequenceCancelled_isFalse() {
        Sequence sequence = add(TestSequence.prompt(1, 4).picture("cat"));
        step(PLENTY);

        scheduler.remove(sequence);

        assertThat(scheduler.isEncodingWanted()).isFalse();
        scheduler.encodingAbandoned();
        assertThat(scheduler.isIdle()).isTrue();
    }

    @Test
    void projectionFailed_plan_failsThoseThatWaitAndForgetsTheLatents() {
        Sequence cat = add(TestSequence.prompt(1, 4).picture("cat"));
        step(PLENTY);
        scheduler.encoded();
        Sequence text = add(TestSequence.prompt(200, 4));
        StepPlan plan = scheduler.schedule(PLENTY);

        assertThat(scheduler.projectionFailed(plan.projections())).containsExactly(cat);

        assertThat(scheduler.images().state("cat")).isEqualTo(ImageCache.State.ABSENT);
        assertThat(step(PLENTY).rows()).containsExactly(new Row(text, 0, 4, Kind.LAST_CHUNK));
    }

    @Test
    void remove_anyPhase_freesEverything() {
        for (Phase phase : List.of(Phase.WAITING, Phase.ENCODING, Phase.PREFILL, Phase.DECODE)) {
            Scheduler fresh = scheduler(4, 100);
            Sequence sequence = TestSequence.prompt(1, 10).picture("cat").build();
            fresh.add(sequence);
            if (phase != Phase.WAITING) {
                fresh.schedule(PLENTY);
            }
            if (phase == Phase.PREFILL || phase == Phase.DECODE) {
                fresh.encoded();
                step(fresh, phase == Phase.PREFILL ? new StepBudget(2, 2) : PLENTY);
            }
            assertThat(sequence.phase()).isEqualTo(phase);

            fresh.remove(sequence);
            fresh.remove(sequence);

            assertThat(sequence.phase()).isEqualTo(Phase.FINISHED);
            assertThat(fresh.waiting()).isZero();
            assertThat(fresh.running()).isEmpty();
            assertThat(fresh.prefixes().availableBlocks()).isEqualTo(100);
            assertThat(fresh.images().freeImageSlots() + fresh.images().idleImages())
                    .isEqualTo(3);
        }
    }

    @Test
    void finish_notDecoding_throws() {
        Sequence sequence = add(TestSequence.prompt(1, 4));

        assertThatThrownBy(() -> scheduler.finish(sequence))
                .hasMessage("A sequence in phase WAITING instead of DECODE");
    }

    @Test
    void expire_deadlinePassed_removesOnlyThoseInTheQueue() {
        Scheduler one = scheduler(1, 100, 64, 0);
        Sequence running = TestSequence.prompt(1, 4).deadline(10).build();
        Sequence early = TestSequence.prompt(1, 4).deadline(10).build();
        Sequence late = TestSequence.prompt(1, 4).deadline(20).build();
        for (Sequence sequence : List.of(running, early, late)) {
            one.add(sequence);
        }
        one.schedule(PLENTY);

        assertThat(one.expire(15)).containsExactly(early);

        assertThat(early.isFinished()).isTrue();
        assertThat(one.waiting()).isEqualTo(1);
        assertThat(one.running()).containsExactly(running);
    }

    @Test
    void stepBudget_noTokens_throws() {
        assertThatThrownBy(() -> new StepBudget(0, 1))
                .hasMessage("A step has a budget of at least 1 token, not 0 and 1 beside decoding sequences");
    }

    private Sequence add(TestSequence prompt) {
        Sequence sequence = prompt.build();
        assertThat(scheduler.add(sequence)).isTrue();
        return sequence;
    }

    private StepPlan step(StepBudget budget) {
        return step(scheduler, budget);
    }

    /** Runs a step in which every sequence generates the token 7. */
    private static StepPlan step(Scheduler scheduler, StepBudget budget) {
        StepPlan plan = scheduler.schedule(budget);
        scheduler.complete(plan);
        for (Row row : plan.rows()) {
            if (row.logits()) {
                scheduler.append(row.sequence(), 7);
            }
        }
        return plan;
    }

    private static Scheduler scheduler(int maxBatchSequences, int blocks) {
        return scheduler(maxBatchSequences, blocks, 64, 0);
    }

    private static Scheduler scheduler(int maxBatchSequences, int blocks, int maxWaiting, int watermarkBlocks) {
        return new Scheduler(
                new Scheduler.Limits(maxBatchSequences, maxWaiting, watermarkBlocks, 2),
                new PrefixCache(new BlockAllocator(blocks, 4)),
                new ImageCache(3, 3));
    }
}
