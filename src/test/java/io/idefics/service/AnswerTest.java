package io.idefics.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.idefics.engine.SequenceEvent;
import io.idefics.engine.SequenceEvent.Prefilled;
import io.idefics.engine.SequenceEvent.Token;
import io.idefics.engine.TokenLogprobs;
import io.idefics.engine.TokenLogprobs.Alternative;
import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationEvent.ChoiceEnded;
import io.idefics.generation.GenerationEvent.Completed;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.TokenLogprob;
import io.idefics.generation.TokenLogprob.Candidate;
import io.idefics.generation.Usage;
import io.idefics.tokenizer.IdeficsTokenizer;
import io.idefics.tokenizer.ReferenceData;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.test.StepVerifier;
import reactor.test.publisher.TestPublisher;

class AnswerTest {

    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final int END = 2;
    private static final int BYTE_0 = 3;
    private static final int HELLO = 15043;
    private static final int WORLD = 3186;
    private static final int BANG = 29991;
    private static final int IMAGE = 32001;

    private static IdeficsTokenizer tokenizer;

    @BeforeAll
    static void load() {
        tokenizer = ReferenceData.tokenizer("tiny-bf16-sharded");
    }

    @AfterAll
    static void close() {
        tokenizer.close();
    }

    @Test
    void events_oneChoice_endWithReasonAndUsage() {
        Flux<SequenceEvent> tokens = Flux.just(new Prefilled(6), token(HELLO), token(WORLD), token(END));

        assertThat(events(answer(1), tokens))
                .containsExactly(
                        new TextDelta(0, "Hello"),
                        new TextDelta(0, " world"),
                        new ChoiceEnded(0, FinishReason.END_TOKEN),
                        new Completed(new Usage(9, 6, 3, 3)));
    }

    @Test
    void events_severalChoices_countThePromptOnceAndAllTokens() {
        List<GenerationEvent> events = events(
                answer(3),
                Flux.just(new Prefilled(2), token(HELLO), token(END)),
                Flux.just(new Prefilled(8), token(WORLD), token(BANG)),
                Flux.just(new Prefilled(8), token(END)));

        assertThat(events).hasSize(7).last().isEqualTo(new Completed(new Usage(9, 2, 3, 5)));
        assertThat(events)
                .contains(
                        new TextDelta(0, "Hello"),
                        new ChoiceEnded(0, FinishReason.END_TOKEN),
                        new TextDelta(1, "world"),
                        new ChoiceEnded(1, FinishReason.LENGTH),
                        new ChoiceEnded(2, FinishReason.END_TOKEN));
        assertThat(events.indexOf(new TextDelta(1, "!"))).isGreaterThan(events.indexOf(new TextDelta(1, "world")));
    }

    @Test
    void events_stopString_endsItsChoiceOnly() {
        TestPublisher<SequenceEvent> first = TestPublisher.create();
        TestPublisher<SequenceEvent> second = TestPublisher.create();

        StepVerifier.create(sequences(answer(2, "!"), first.flux(), second.flux()))
                .then(() -> first.next(token(HELLO), token(BANG)))
                .expectNext(new TextDelta(0, "Hello"), new ChoiceEnded(0, FinishReason.STOP_STRING))
                .then(() -> {
                    await().atMost(PATIENCE).untilAsserted(first::assertCancelled);
                    second.assertNotCancelled();
                    second.next(token(WORLD)).complete();
                })
                .expectNext(new TextDelta(1, "world"), new ChoiceEnded(1, FinishReason.LENGTH))
                .expectNext(new Completed(new Usage(9, 0, 3, 3)))
                .expectComplete()
                .verify(PATIENCE);
    }

    @Test
    void events_oneChoiceFails_endAllAfterTheTextBefore() {
        TestPublisher<SequenceEvent> first = TestPublisher.create();
        TestPublisher<SequenceEvent> second = TestPublisher.create();
        IllegalStateException failure = new IllegalStateException("broken");

        StepVerifier.create(sequences(answer(2), first.flux(), second.flux()), 0)
                .then(() -> first.next(token(HELLO), token(WORLD)).error(failure))
                .thenRequest(10)
                .expectNext(new TextDelta(0, "Hello"), new TextDelta(0, " world"))
                .expectErrorSatisfies(error -> assertThat(error).isSameAs(failure))
                .verify(PATIENCE);

        await().atMost(PATIENCE).untilAsserted(second::assertCancelled);
    }

    @Test
    void events_cancelled_cancelAllChoices() {
        TestPublisher<SequenceEvent> first = TestPublisher.create();
        TestPublisher<SequenceEvent> second = TestPublisher.create();

        StepVerifier.create(sequences(answer(2), first.flux(), second.flux()))
                .then(() -> first.next(token(HELLO)))
                .expectNext(new TextDelta(0, "Hello"))
                .thenCancel()
                .verify(PATIENCE);

        await().atMost(PATIENCE).untilAsserted(first::assertCancelled);
        await().atMost(PATIENCE).untilAsserted(second::assertCancelled);
    }

    @Test
    void events_logprobs_comeWithTheirText() {
        Token world = new Token(
                WORLD, new TokenLogprobs(-0.5, List.of(new Alternative(WORLD, -0.5), new Alternative(IMAGE, -1.5))));

        assertThat(events(answer(1), Flux.just(told(HELLO), world, told(END))))
                .containsExactly(
                        new TextDelta(0, "Hello", List.of(logprob(" Hello"))),
                        new TextDelta(
                                0,
                                " world",
                                List.of(new TokenLogprob(
                                        new Candidate(WORLD, " world", bytes(" world"), -0.5),
                                        List.of(
                                                new Candidate(WORLD, " world", bytes(" world"), -0.5),
                                                new Candidate(IMAGE, "<image>", null, -1.5)),
                                        0))),
                        new ChoiceEnded(0, FinishReason.END_TOKEN),
                        new Completed(new Usage(9, 0, 3, 3)));
    }

    @Test
    void events_logprobsOfBytes_waitForTheCharacter() {
        List<SequenceEvent> tokens = new ArrayList<>(List.of(told(HELLO)));
        bytes("🟥").forEach(b -> tokens.add(told(BYTE_0 + b)));
        tokens.add(told(BANG));

        List<GenerationEvent> events = events(answer(1), Flux.fromIterable(tokens));

        TextDelta emoji = (TextDelta) events.get(1);
        assertThat(emoji.text()).isEqualTo("🟥!");
        assertThat(emoji.logprobs())
                .extracting(logprob -> logprob.chosen().token())
                .containsExactly("\\xf0", "\\x9f", "\\x9f", "\\xa5", "!");
        assertThat(emoji.logprobs().stream()
                        .flatMap(logprob -> logprob.chosen().bytes().stream())
                        .toList())
                .isEqualTo(bytes("🟥!"));
    }

    @Test
    void events_logprobsOfAStopString_areNotTold() {
        List<GenerationEvent> events =
                events(answer(1, " world!"), Flux.just(told(HELLO), told(WORLD), told(BANG), told(HELLO)));

        assertThat(events)
                .containsExactly(
                        new TextDelta(0, "Hello", List.of(logprob(" Hello"))),
                        new ChoiceEnded(0, FinishReason.STOP_STRING),
                        new Completed(new Usage(9, 0, 3, 3)));
    }

    @Test
    void events_logprobsOfHeldBackText_areToldWhenItIsGivenOut() {
        List<GenerationEvent> events =
                events(answer(1, " world peace"), Flux.just(told(HELLO), told(WORLD), told(BANG), told(END)));

        assertThat(events)
                .startsWith(
                        new TextDelta(0, "Hello", List.of(logprob(" Hello"))),
                        new TextDelta(0, " world!", List.of(logprob(" world"), logprob("!"))));
    }

    @Test
    void events_stopStringAfterBytes_tellsTheBytesAlone() {
        List<SequenceEvent> tokens = new ArrayList<>();
        bytes("é").forEach(b -> tokens.add(told(BYTE_0 + b)));
        tokens.add(told(BANG));
        tokens.add(told(BANG));

        List<GenerationEvent> events = events(answer(1, "!!"), Flux.fromIterable(tokens));

        assertThat(events)
                .startsWith(
                        new TextDelta(
                                0,
                                "é",
                                List.of(
                                        alone(new Candidate(BYTE_0 + 0xc3, "\\xc3", List.of(0xc3), -1)),
                                        alone(new Candidate(BYTE_0 + 0xa9, "\\xa9", List.of(0xa9), -1)))),
                        new ChoiceEnded(0, FinishReason.STOP_STRING));
    }

    @Test
    void events_tokenWithoutTextAtTheEnd_isTold() {
        List<GenerationEvent> events = events(answer(1), Flux.just(told(HELLO), told(0)));

        TokenLogprob unknown = alone(new Candidate(0, "<unk>", null, -1));
        assertThat(events).element(1).isEqualTo(new TextDelta(0, "", List.of(unknown)));
    }

    private static Answer answer(int choices, String... stop) {
        return new Answer(
                IntStream.range(0, choices)
                        .mapToObj(index -> choice(index, new Ending(Set.of(END), Map.of(), List.of(stop), false)))
                        .toList(),
                choices,
                null,
                9,
                3);
    }

    private static Choice choice(int index, Ending ending) {
        TextStream text = new TextStream(tokenizer.incrementalDecoder(), ending.strings(), ending.isText());
        return new Choice(index, new TokenTexts(tokenizer), ending, text, true, 0);
    }

    /** An event without the details of the end and the offsets of tokens. */
    private static GenerationEvent brief(GenerationEvent event) {
        if (event instanceof TextDelta delta) {
            List<TokenLogprob> logprobs = delta.logprobs().stream()
                    .map(token -> new TokenLogprob(token.chosen(), token.top(), 0))
                    .toList();
            return new TextDelta(delta.choice(), delta.text(), logprobs);
        }
        return event instanceof ChoiceEnded end ? new ChoiceEnded(end.choice(), end.reason()) : event;
    }

    private static TokenLogprob alone(Candidate candidate) {
        return new TokenLogprob(candidate, List.of(), 0);
    }

    @SafeVarargs
    private static List<GenerationEvent> events(Answer answer, Flux<SequenceEvent>... sequences) {
        return sequences(answer, sequences).collectList().block(PATIENCE);
    }

    @SafeVarargs
    private static Flux<GenerationEvent> sequences(Answer answer, Flux<SequenceEvent>... sequences) {
        return answer.events(index -> sequences[index]).map(AnswerTest::brief);
    }

    private static SequenceEvent token(int id) {
        return new Token(id, null);
    }

    private static SequenceEvent told(int id) {
        return new Token(id, new TokenLogprobs(-1, List.of()));
    }

    private static TokenLogprob logprob(String token) {
        int id = tokenizer.encodePlain(token.strip())[0];
        return alone(new Candidate(token.equals("!") ? BANG : id, token, bytes(token), -1));
    }

    private static List<Integer> bytes(String text) {
        List<Integer> bytes = new ArrayList<>();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            bytes.add(Byte.toUnsignedInt(b));
        }
        return bytes;
    }
}
