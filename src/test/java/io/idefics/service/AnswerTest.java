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
import io.idefics.generation.GenerationEvent.PromptRead;
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
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
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

    @Test
    void events_bestOfSeveral_giveTheLikeliestFirst() {
        Answer answer = answer(3, 2, null);

        List<GenerationEvent> events = events(
                answer,
                Flux.just(new Prefilled(0), told(HELLO, -4), told(END, -2)),
                Flux.just(new Prefilled(0), told(WORLD, -1), told(END, -0.5)),
                Flux.just(new Prefilled(0), told(BANG, -2), told(BANG, -2), told(BANG, -2)));

        assertThat(texts(events)).containsExactly("0:world", "1:!", "1:!", "1:!");
        assertThat(events)
                .contains(new ChoiceEnded(0, FinishReason.END_TOKEN), new ChoiceEnded(1, FinishReason.LENGTH))
                .doesNotContain(new ChoiceEnded(2, FinishReason.END_TOKEN))
                .last()
                .isEqualTo(new Completed(new Usage(9, 0, 3, 7)));
    }

    @Test
    void events_bestOfEqual_giveTheFirst() {
        List<GenerationEvent> events = events(
                answer(2, 1, null),
                Flux.just(told(HELLO, -1), told(END, -1)),
                Flux.just(told(WORLD, -1), told(END, -1)));

        assertThat(texts(events)).containsExactly("0:Hello");
    }

    @Test
    void events_bestOfWhereOneFails_fail() {
        IllegalStateException failure = new IllegalStateException("broken");

        StepVerifier.create(sequences(answer(2, 1, null), Flux.just(told(HELLO, -1)), Flux.error(failure)))
                .expectErrorSatisfies(error -> assertThat(error).isSameAs(failure))
                .verify(PATIENCE);
    }

    @Test
    void events_echo_tellThePromptOnceAndFirst() {
        TestPublisher<SequenceEvent> first = TestPublisher.create();
        List<Integer> subscribed = new CopyOnWriteArrayList<>();
        PromptRead prompt = new PromptRead("Hi", List.of());
        Flux<SequenceEvent> second =
                Flux.<SequenceEvent>just(new Prefilled(9), token(WORLD)).doOnSubscribe(s -> subscribed.add(1));

        StepVerifier.create(sequences(answer(2, 2, choice -> prompt), first.flux(), second))
                .then(() -> assertThat(subscribed).isEmpty())
                .then(() -> first.next(new Prefilled(2)))
                .expectNext(prompt)
                .expectNext(new TextDelta(1, "world"), new ChoiceEnded(1, FinishReason.LENGTH))
                .then(() -> first.next(token(HELLO)).complete())
                .expectNext(new TextDelta(0, "Hello"), new ChoiceEnded(0, FinishReason.LENGTH))
                .expectNext(new Completed(new Usage(9, 2, 3, 2)))
                .expectComplete()
                .verify(PATIENCE);
    }

    @Test
    void events_echoOfAPromptThatFails_fail() {
        IllegalStateException failure = new IllegalStateException("broken");

        StepVerifier.create(sequences(
                        answer(2, 2, choice -> new PromptRead("Hi", List.of())), Flux.error(failure), Flux.never()))
                .expectErrorSatisfies(error -> assertThat(error).isSameAs(failure))
                .verify(PATIENCE);
    }

    @Test
    void events_echoAndBestOf_tellThePromptBeforeTheLikeliest() {
        PromptRead prompt = new PromptRead("Hi", List.of());

        List<GenerationEvent> events = events(
                answer(2, 1, choice -> prompt),
                Flux.just(new Prefilled(0), told(HELLO, -3)),
                Flux.just(new Prefilled(0), told(WORLD, -1)));

        assertThat(events).first().isEqualTo(prompt);
        assertThat(texts(events)).containsExactly("0:world");
    }

    @Test
    void events_promptAlone_endByLength() {
        PromptRead prompt = new PromptRead("Hi", List.of());

        assertThat(events(answer(1, 1, choice -> prompt), Flux.just(new Prefilled(4))))
                .containsExactly(prompt, new ChoiceEnded(0, FinishReason.LENGTH), new Completed(new Usage(9, 4, 3, 0)));
    }

    @Test
    void append_namedSpecialToken_endsTheTextAndTellsItsName() {
        Ending ending = new Ending(Set.of(END, IMAGE), Map.of(IMAGE, "<image>"), List.of(), true);
        Choice choice = choice(0, ending);

        List<GenerationEvent> events = whole(choice, told(HELLO, -1), told(IMAGE, -2));

        TokenLogprob end = new TokenLogprob(new Candidate(IMAGE, "<image>", null, -2), List.of(), 5);
        assertThat(events).last().isEqualTo(new ChoiceEnded(0, FinishReason.STOP_STRING, "<image>", 2, end));
        assertThat(texts(events)).containsExactly("0:Hello");
    }

    @Test
    void append_tokenOfTheModelsEnd_isTheEndOfItsTurn() {
        Choice choice = choice(0, new Ending(Set.of(END), Map.of(), List.of(), false));

        List<GenerationEvent> events = whole(choice, told(HELLO, -1), told(END, -0.5));

        TokenLogprob end = new TokenLogprob(new Candidate(END, "</s>", null, -0.5), List.of(), 5);
        assertThat(events).last().isEqualTo(new ChoiceEnded(0, FinishReason.END_TOKEN, null, 2, end));
    }

    @Test
    void append_stopTokenWithText_isPartOfTheTextOnlyWhereTheEndIs() {
        List<GenerationEvent> with =
                whole(choice(0, new Ending(Set.of(BANG), Map.of(), List.of(), true)), told(HELLO, -1), told(BANG, -1));
        List<GenerationEvent> without =
                whole(choice(0, new Ending(Set.of(BANG), Map.of(), List.of(), false)), told(HELLO, -1), told(BANG, -1));

        assertThat(texts(with)).containsExactly("0:Hello", "0:!");
        assertThat(texts(without)).containsExactly("0:Hello");
        assertThat(((ChoiceEnded) with.get(with.size() - 1)).end()).isNull();
        assertThat(((ChoiceEnded) without.get(without.size() - 1)).end()).isNotNull();
    }

    @Test
    void append_includedStopString_isToldWithItsTokens() {
        List<GenerationEvent> events = whole(
                choice(0, new Ending(Set.of(END), Map.of(), List.of("world"), true)), told(HELLO, -1), told(WORLD, -1));

        assertThat(texts(events)).containsExactly("0:Hello", "0: world");
        assertThat(((TextDelta) events.get(1)).logprobs()).hasSize(1);
        assertThat(events).last().isEqualTo(new ChoiceEnded(0, FinishReason.STOP_STRING, "world", 2, null));
    }

    @Test
    void append_afterAPrompt_placesTokensBehindIt() {
        TextStream text = new TextStream(tokenizer.continuingDecoder(), List.of());
        Choice choice = new Choice(
                0, new TokenTexts(tokenizer), new Ending(Set.of(END), Map.of(), List.of(), false), text, true, 7);

        List<TokenLogprob> told =
                whole(choice, told(HELLO, -1), told(BYTE_0 + 0xc3, -1), told(BYTE_0 + 0xa9, -1), told(BANG, -1))
                        .stream()
                        .filter(TextDelta.class::isInstance)
                        .flatMap(event -> ((TextDelta) event).logprobs().stream())
                        .toList();

        assertThat(told).extracting(TokenLogprob::offset).containsExactly(7, 13, 13, 14);
    }

    private static List<GenerationEvent> whole(Choice choice, SequenceEvent... tokens) {
        List<GenerationEvent> events = new ArrayList<>();
        for (SequenceEvent token : tokens) {
            events.addAll(choice.append(token));
        }
        if (events.isEmpty() || !(events.get(events.size() - 1) instanceof ChoiceEnded)) {
            events.addAll(choice.finish());
        }
        return events;
    }

    private static List<String> texts(List<GenerationEvent> events) {
        return events.stream()
                .filter(TextDelta.class::isInstance)
                .map(event -> ((TextDelta) event).choice() + ":" + ((TextDelta) event).text())
                .toList();
    }

    private static Answer answer(int choices, int given, Function<Choice, PromptRead> echo) {
        Ending ending = new Ending(Set.of(END), Map.of(), List.of(), false);
        return new Answer(
                IntStream.range(0, choices)
                        .mapToObj(index -> choice(index, ending))
                        .toList(),
                given,
                echo,
                9,
                3);
    }

    private static SequenceEvent told(int id, double logprob) {
        return new Token(id, new TokenLogprobs(logprob, List.of()));
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
