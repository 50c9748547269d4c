package io.idefics.service;

import io.idefics.engine.SequenceEvent;
import io.idefics.engine.SequenceRequest;
import io.idefics.engine.TokenLogprobs;
import io.idefics.generation.Client;
import io.idefics.generation.ContentPart;
import io.idefics.generation.Message;
import io.idefics.generation.Prompt;
import io.idefics.generation.Role;
import io.idefics.generation.SamplingParams;
import io.idefics.generation.Usage;
import io.idefics.model.ModelInput;
import io.idefics.model.PixelValues;
import io.idefics.processing.PreparedPrompt;
import io.idefics.service.Classification.Score;
import io.idefics.service.ModelHost.Parts;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.IntStream;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * How likely each of some answers to a conversation is. Nothing is generated: the answers are read as prompts.
 *
 * @param prompt the conversation alone
 * @param answers the answers
 * @param ids the tokens of conversation and answer, the end of the turn included where the model has it, (answers, T)
 * @param imageIndex which picture each of them sees, (answers, T)
 * @param from where the answers begin
 */
record AnswerScores(PreparedPrompt prompt, List<String> answers, List<int[]> ids, List<int[]> imageIndex, int from) {

    /** How many answers of one request run at the same time, so that it does not fill the queue. */
    private static final int MAX_AT_ONCE = 8;

    static AnswerScores of(Prompt.Conversation conversation, List<String> answers, Parts parts) {
        int contextLength = parts.description().contextLength();
        PreparedPrompt prompt = Prompts.prepare(conversation, contextLength - 1, parts);
        OptionalInt endOfUtterance = parts.tokenizer().specialTokens().endOfUtterance();
        List<int[]> all = new ArrayList<>();
        List<int[]> imageIndex = new ArrayList<>();
        int from = prompt.inputIds().length;
        for (String answer : answers) {
            List<Message> messages = new ArrayList<>(conversation.messages());
            messages.add(new Message(Role.ASSISTANT, List.of(new ContentPart.Text(answer))));
            int room = contextLength - (endOfUtterance.isPresent() ? 1 : 0);
            PreparedPrompt whole = Prompts.prepare(new Prompt.Conversation(messages, true), room, parts);
            int length = whole.inputIds().length;
            int[] ids = IntStream.concat(Arrays.stream(whole.inputIds()), endOfUtterance.stream())
                    .toArray();
            int[] index = Arrays.copyOf(whole.imageIndex(), ids.length);
            Arrays.fill(index, length, ids.length, index[length - 1]);
            int mismatch = Arrays.mismatch(prompt.inputIds(), ids);
            from = Math.min(from, mismatch < 0 ? from : mismatch);
            all.add(ids);
            imageIndex.add(index);
        }
        return new AnswerScores(prompt, List.copyOf(answers), all, imageIndex, from);
    }

    /** Runs the answers, the first one alone, so that the others find the conversation in the cache. */
    Mono<Classification> compute(
            Function<SequenceRequest, Flux<SequenceEvent>> runner, List<PixelValues> images, Client client) {
        Flux<SequenceEvent.Prefilled> first = run(0, runner, images, client);
        Flux<SequenceEvent.Prefilled> others = Flux.range(1, answers.size() - 1)
                .flatMapSequential(index -> run(index, runner, images, client), MAX_AT_ONCE);
        return first.concatWith(others).collectList().map(this::classification);
    }

    private Flux<SequenceEvent.Prefilled> run(
            int index, Function<SequenceRequest, Flux<SequenceEvent>> runner, List<PixelValues> images, Client client) {
        SequenceRequest request = new SequenceRequest(
                new ModelInput(ids.get(index), imageIndex.get(index), images),
                SamplingParams.GREEDY,
                0,
                0,
                Set.of(),
                new int[0],
                SequenceRequest.NO_LOGPROBS,
                from,
                null,
                client.name(),
                client.priority(),
                null);
        return runner.apply(request).ofType(SequenceEvent.Prefilled.class);
    }

    /** The tokens that are read, those of the conversation once. */
    long tokens() {
        return from + ids.stream().mapToLong(all -> all.length - from).sum();
    }

    private Classification classification(List<SequenceEvent.Prefilled> prefilled) {
        double[] logprobs = prefilled.stream()
                .mapToDouble(answer -> answer.promptLogprobs().stream()
                        .mapToDouble(TokenLogprobs::logprob)
                        .sum())
                .toArray();
        double max = Arrays.stream(logprobs).max().orElse(0);
        double sum =
                Arrays.stream(logprobs).map(logprob -> Math.exp(logprob - max)).sum();
        List<Score> scores = IntStream.range(0, answers.size())
                .mapToObj(index -> new Score(
                        answers.get(index),
                        logprobs[index],
                        Math.exp(logprobs[index] - max) / sum,
                        ids.get(index).length - from))
                .toList();
        int tokens = ids.stream().mapToInt(all -> all.length - from).sum();
        int cachedTokens = Math.min(prefilled.get(0).cachedTokens(), from);
        return new Classification(scores, new Usage(from + tokens, cachedTokens, prompt.imageTokens(), 0));
    }
}
