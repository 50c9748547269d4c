package io.idefics.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.generation.ContentPart;
import io.idefics.generation.ContentPart.ImageRef;
import io.idefics.generation.ContentPart.Text;
import io.idefics.generation.Message;
import io.idefics.generation.Role;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class ConversationGeneratorTest {

    @Test
    void conversation_sameSeed_isTheSame() {
        Workload workload = Workloads.of("mix", null, 5, 3, 7);
        ConversationGenerator one = new ConversationGenerator(workload);
        ConversationGenerator other = new ConversationGenerator(workload);
        for (int i = 0; i < 10; i++) {
            assertThat(one.conversation(i)).isEqualTo(other.next());
        }
    }

    @Test
    void conversation_otherSeed_isAnother() {
        Conversation one = new ConversationGenerator(Workloads.of("1", null, 5, 2, 7)).next();
        Conversation other = new ConversationGenerator(Workloads.of("1", null, 5, 2, 8)).next();
        assertThat(one.opening().get(0)).isNotEqualTo(other.opening().get(0));
        assertThat(parts(one)).doesNotContainAnyElementsOf(parts(other));
        assertThat(one.followUps()).isNotEqualTo(other.followUps());
    }

    @Test
    void conversation_prefixAndTurns_hasThemInOrder() {
        Conversation conversation = new ConversationGenerator(Workloads.of("2", null, 5, 3, 1)).next();
        assertThat(conversation.opening()).extracting(Message::role).containsExactly(Role.SYSTEM, Role.USER);
        assertThat(((Text) conversation.opening().get(0).content().get(0))
                        .text()
                        .split(" "))
                .hasSize(5);
        assertThat(parts(conversation)).hasSize(3);
        assertThat(parts(conversation).subList(0, 2)).allMatch(ImageRef.class::isInstance);
        assertThat(((Text) parts(conversation).get(2)).text().split(" ")).hasSize(8);
        assertThat(conversation.followUps()).hasSize(2).doesNotHaveDuplicates();
    }

    @Test
    void next_sharedPrefix_isSharedAndNothingElse() {
        ConversationGenerator generator = new ConversationGenerator(Workloads.of("1", null, 5, 1, 1));
        Conversation one = generator.next();
        Conversation other = generator.next();
        assertThat(one.opening().get(0)).isEqualTo(other.opening().get(0));
        assertThat(parts(one)).doesNotContainAnyElementsOf(parts(other));
    }

    @Test
    void next_noPrefix_hasNoSystemPrompt() {
        assertThat(new ConversationGenerator(Workloads.text(1)).next().opening())
                .extracting(Message::role)
                .containsExactly(Role.USER);
    }

    @Test
    void pictures_distinctByDefault_areAllDifferent() {
        assertThat(urls(Workloads.of("4", null, 0, 1, 1), 50)).hasSize(200).doesNotHaveDuplicates();
    }

    @Test
    void pictures_threeDistinct_areThree() {
        assertThat(urls(Workloads.of("4", 3, 0, 1, 1), 50).stream().distinct()).hasSize(3);
    }

    private static List<String> urls(Workload workload, int conversations) {
        ConversationGenerator generator = new ConversationGenerator(workload);
        return LongStream.range(0, conversations)
                .mapToObj(generator::conversation)
                .flatMap(conversation -> parts(conversation).stream())
                .filter(ImageRef.class::isInstance)
                .map(part -> ((ImageRef) part).url())
                .toList();
    }

    private static List<ContentPart> parts(Conversation conversation) {
        return conversation.opening().get(conversation.opening().size() - 1).content();
    }
}
