package io.idefics.processing;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.ContentPart;
import io.idefics.generation.Message;
import io.idefics.generation.Prompt;
import io.idefics.generation.Role;
import io.idefics.tokenizer.IdeficsTokenizer;
import io.idefics.tokenizer.ReferenceData;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;

/** The layout against the prompts that the embedded model was measured with. */
class PromptTemplateGoldenTest {

    private static final ProcessorOptions VERBATIM =
            new ProcessorOptions(false, false, OptionalInt.empty(), OptionalInt.empty());

    @Test
    void items_conversationOfTheEvaluation_giveItsPrompt() {
        Map<Integer, JsonNode> questions = ReferenceData.jsonLines("mini-eval/questions.jsonl").stream()
                .collect(Collectors.toMap(question -> question.get("id").intValue(), Function.identity()));
        List<JsonNode> answers = ReferenceData.jsonLines("mini-eval/reference_answers.jsonl");
        assertThat(answers).hasSize(40);
        try (IdeficsTokenizer tokenizer = ReferenceData.miniTokenizer()) {
            IdeficsProcessor processor = new IdeficsProcessor(tokenizer, true);
            for (JsonNode answer : answers) {
                JsonNode question = questions.get(answer.get("id").intValue());
                List<Message> messages = messages(question.get("messages"));
                List<PromptItem> items = new PromptTemplate(true).items(messages, false);
                PreparedPrompt prompt = processor.prepare(items, 2048);

                assertThat(processor.fullText(items, VERBATIM))
                        .isEqualTo(answer.get("prompt").textValue());
                assertThat(prompt.inputIds()).isEqualTo(ReferenceData.ints(answer.get("prompt_ids")));
                assertThat(prompt.imageCount())
                        .isEqualTo(question.get("images").size())
                        .isEqualTo(new Prompt.Conversation(messages, false)
                                .images()
                                .size());
            }
        }
    }

    private static List<Message> messages(JsonNode messages) {
        return StreamSupport.stream(messages.spliterator(), false)
                .map(message -> new Message(
                        Role.valueOf(message.get("role").textValue().toUpperCase(Locale.ROOT)),
                        StreamSupport.stream(message.get("content").spliterator(), false)
                                .map(PromptTemplateGoldenTest::part)
                                .toList()))
                .toList();
    }

    private static ContentPart part(JsonNode part) {
        return part.has("text")
                ? new ContentPart.Text(part.get("text").textValue())
                : new ContentPart.ImageRef(part.get("path").textValue(), "path");
    }
}
