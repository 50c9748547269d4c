package io.idefics.processing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.idefics.generation.ContentPart;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.Message;
import io.idefics.generation.Prompt;
import io.idefics.generation.Role;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class PromptTemplateTest {

    private static final Message USER = user("hi");

    @Test
    void items_modelCardDialogue_isLaidOutAsThere() {
        assertThat(layout(
                        user("What is in this image?", image()),
                        assistant("A dog."),
                        user(image(), "And who is that?")))
                .isEqualTo("User: What is in this image?[I][E]\nAssistant: A dog.[E]\nUser:[I]And who is that?[E]"
                        + "\nAssistant:");
    }

    @Test
    void items_baseModel_haveNoEndOfUtterance() {
        List<PromptItem> items = new PromptTemplate(false)
                .items(List.of(user("What?", image()), assistant("A dog."), user("Why?")), false);
        assertThat(render(items)).isEqualTo("User: What?[I]\nAssistant: A dog.\nUser: Why?\nAssistant:");
    }

    @Test
    void items_severalTexts_areSeparatedByOneSpace() {
        assertThat(layout(user(" a ", "  ", "b", image(), "", " c", "d ", image(), image(), "e")))
                .isEqualTo("User: a b[I]c d[I][I]e[E]\nAssistant:");
    }

    @Test
    void items_lineFeedsInText_areKept() {
        assertThat(layout(user("\na\n"))).isEqualTo("User: \na\n[E]\nAssistant:");
    }

    @Test
    void items_systemMessages_areTextBeforeTheFirstTurn() {
        assertThat(layout(system("Be brief."), system("Be kind."), USER))
                .isEqualTo("Be brief. Be kind.\nUser: hi[E]\nAssistant:");
    }

    @Test
    void items_systemMessageBetweenTurns_isALineOfText() {
        assertThat(layout(USER, assistant("hello"), system("Be brief."), user("why?")))
                .isEqualTo("User: hi[E]\nAssistant: hello[E]\nBe brief.\nUser: why?[E]\nAssistant:");
    }

    @Test
    void items_emptySystemMessage_leavesNoTrace() {
        assertThat(layout(system(""), USER)).isEqualTo("User: hi[E]\nAssistant:");
    }

    @Test
    void items_adjacentMessagesOfOneRole_areOneTurn() {
        assertThat(layout(user("a"), user(image()), user("b"), assistant("c"), assistant("d"), user("e")))
                .isEqualTo("User: a[I]b[E]\nAssistant: c d[E]\nUser: e[E]\nAssistant:");
    }

    @Test
    void items_conversationThatTheAssistantBegins_isLaidOut() {
        assertThat(layout(assistant("Welcome."), USER)).isEqualTo("Assistant: Welcome.[E]\nUser: hi[E]\nAssistant:");
    }

    @Test
    void items_emptyContent_isAnEmptyTurn() {
        assertThat(layout(USER, new Message(Role.ASSISTANT, List.of()), new Message(Role.USER, List.of())))
                .isEqualTo("User: hi[E]\nAssistant:[E]\nUser:[E]\nAssistant:");
    }

    @Test
    void items_noMessage_areRefused() {
        assertRefused("messages");
    }

    @Test
    void items_lastMessageNotOfTheUser_areRefused() {
        assertRefused("messages[1].role", USER, assistant("Sure,"));
        assertRefused("messages[0].role", system("a"));
    }

    @Test
    void items_pictureOfAnotherSpeaker_areRefused() {
        assertRefused("the.picture", USER, new Message(Role.ASSISTANT, List.of(image())), USER);
        assertRefused("the.picture", new Message(Role.SYSTEM, List.of(image())), USER);
    }

    @Test
    void images_conversation_areInPromptOrder() {
        ContentPart.ImageRef first = new ContentPart.ImageRef("1", "a");
        ContentPart.ImageRef second = new ContentPart.ImageRef("2", "b");
        ContentPart.ImageRef third = new ContentPart.ImageRef("3", "c");
        assertThat(new Prompt.Conversation(
                                List.of(
                                        user(first, "text", second),
                                        assistant("x"),
                                        new Message(Role.USER, List.of(third))),
                                false)
                        .images())
                .containsExactly(first, second, third);
    }

    private static void assertRefused(String param, Message... messages) {
        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> new PromptTemplate(true).items(List.of(messages), false))
                .satisfies(e -> {
                    assertThat(e.type()).isEqualTo(ErrorType.INVALID_VALUE);
                    assertThat(e.param()).isEqualTo(param);
                });
    }

    private static String layout(Message... messages) {
        return render(new PromptTemplate(true).items(List.of(messages), false));
    }

    private static String render(List<PromptItem> items) {
        return items.stream()
                .map(item -> item instanceof PromptItem.Text text
                        ? text.text()
                        : item instanceof PromptItem.Image ? "[I]" : "[E]")
                .collect(Collectors.joining());
    }

    private static Message system(String text) {
        return new Message(Role.SYSTEM, List.of(new ContentPart.Text(text)));
    }

    private static Message assistant(String text) {
        return new Message(Role.ASSISTANT, List.of(new ContentPart.Text(text)));
    }

    private static Message user(Object... parts) {
        return new Message(
                Role.USER,
                Arrays.stream(parts)
                        .map(part -> part instanceof String text ? new ContentPart.Text(text) : (ContentPart) part)
                        .toList());
    }

    private static ContentPart image() {
        return new ContentPart.ImageRef("data:,", "the.picture");
    }
}
