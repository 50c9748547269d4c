package io.idefics.bench;

import io.idefics.generation.ContentPart;
import io.idefics.generation.Message;
import io.idefics.generation.Role;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.random.RandomGenerator;

/**
 * Makes up conversations. The seed of the workload and the number of a conversation decide its words and pictures, so
 * that two runs of the same workload ask the same.
 */
final class ConversationGenerator {

    /** Common words, most of which are one token of most vocabularies. */
    private static final List<String> WORDS = List.of(
            "the",
            "house",
            "stands",
            "near",
            "a",
            "river",
            "and",
            "green",
            "trees",
            "grow",
            "on",
            "both",
            "sides",
            "of",
            "it",
            "in",
            "spring",
            "birds",
            "come",
            "back",
            "from",
            "south",
            "to",
            "build",
            "their",
            "small",
            "nest",
            "under",
            "roof",
            "while",
            "children",
            "play",
            "with",
            "red",
            "ball",
            "or",
            "watch",
            "clouds",
            "move",
            "over",
            "hills",
            "at",
            "night",
            "moon",
            "shows",
            "road",
            "that",
            "leads",
            "into",
            "old",
            "town",
            "where",
            "people",
            "sell",
            "bread",
            "fish",
            "fruit",
            "each",
            "morning",
            "until",
            "market",
            "closes",
            "again",
            "today");

    /** Far from every number of a conversation, so that the shared prefix has words of its own. */
    private static final long PREFIX = Long.MIN_VALUE;

    private final Workload workload;
    private final SyntheticPictures pictures;
    private final String prefix;
    private final AtomicLong next = new AtomicLong();

    ConversationGenerator(Workload workload) {
        this.workload = workload;
        this.pictures = new SyntheticPictures(workload.imageSize(), workload.seed(), workload.distinctImages());
        this.prefix = words(random(PREFIX), workload.sharedPrefixTokens());
    }

    /** The turns of each conversation. */
    int turns() {
        return workload.turns();
    }

    /** A conversation that was not given out before. */
    Conversation next() {
        return conversation(next.getAndIncrement());
    }

    /** The conversation of that number, from 0. Its pictures are in the first user message, and so in every request. */
    Conversation conversation(long number) {
        RandomGenerator random = random(number);
        List<Message> opening = new ArrayList<>();
        if (!prefix.isEmpty()) {
            opening.add(new Message(Role.SYSTEM, List.of(new ContentPart.Text(prefix))));
        }
        List<ContentPart> first = new ArrayList<>();
        int images = workload.images().draw(random);
        for (int i = 0; i < images; i++) {
            String url = pictures.url(number * workload.images().most() + i);
            first.add(
                    new ContentPart.ImageRef(url, "messages[" + opening.size() + "].content[" + i + "].image_url.url"));
        }
        first.add(text(random));
        opening.add(new Message(Role.USER, first));
        List<Message> followUps = new ArrayList<>();
        for (int turn = 1; turn < workload.turns(); turn++) {
            followUps.add(new Message(Role.USER, List.of(text(random))));
        }
        return new Conversation(opening, followUps);
    }

    private ContentPart text(RandomGenerator random) {
        return new ContentPart.Text(words(random, workload.promptTokens()));
    }

    private RandomGenerator random(long number) {
        return new SplittableRandom(new SplittableRandom(workload.seed()).nextLong() + number);
    }

    private static String words(RandomGenerator random, int count) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < count; i++) {
            if (i > 0) {
                text.append(' ');
            }
            text.append(WORDS.get(random.nextInt(WORDS.size())));
        }
        return text.toString();
    }
}
