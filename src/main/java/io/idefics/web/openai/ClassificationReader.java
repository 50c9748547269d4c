package io.idefics.web.openai;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.generation.GenerationException;
import io.idefics.generation.Prompt;
import io.idefics.service.CompletionService;
import io.idefics.web.JsonField;
import io.idefics.web.ModelNames;
import io.idefics.web.PromptLimits;
import io.idefics.web.WebProperties;
import java.util.List;

/** Body of a request to choose among answers to {@link ClassificationRequest}; the messages are those of a chat. */
public final class ClassificationReader {

    static final int MAX_CHOICES = 100;
    static final int MAX_CHOICE_LENGTH = 1_000;

    private final ModelNames models;
    private final MessageReader messages;

    public ClassificationReader(CompletionService service, WebProperties limits) {
        this.models = new ModelNames(service);
        this.messages = new MessageReader(new PromptLimits(limits));
    }

    /**
     * Decodes and validates a body.
     *
     * @throws GenerationException naming the first field that is wrong
     */
    public ClassificationRequest read(JsonNode body) {
        JsonField root = JsonField.root(body);
        String model = models.read(root.get("model"));
        Prompt.Conversation conversation = new Prompt.Conversation(messages.read(root.get("messages")), false);
        List<String> choices = root.get("choices").elements(1, MAX_CHOICES).stream()
                .map(ClassificationReader::choice)
                .toList();
        return new ClassificationRequest(model, conversation, choices);
    }

    private static String choice(JsonField field) {
        String choice = ParameterReader.string(field, MAX_CHOICE_LENGTH);
        if (choice.isBlank()) {
            throw field.invalidValue("more than spaces");
        }
        return choice;
    }
}
