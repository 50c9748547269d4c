package io.idefics.service;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.engine.SequenceEvent;
import io.idefics.engine.SequenceRequest;
import io.idefics.generation.ContentPart;
import io.idefics.generation.Message;
import io.idefics.generation.Role;
import io.idefics.generation.SamplingParams;
import io.idefics.image.ImageDecoder;
import io.idefics.image.ImageLimits;
import io.idefics.model.ComputeType;
import io.idefics.model.MemoryLedger;
import io.idefics.model.ModelInput;
import io.idefics.model.PixelValues;
import io.idefics.processing.PreparedPrompt;
import io.idefics.testing.MiniEvaluation;
import io.idefics.testing.MiniEvaluation.Reference;
import io.idefics.testing.Settings;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The embedded model answers as the reference implementation does with its weights, token for token. */
class MiniModelGoldenTest {

    private static final Duration PATIENCE = Duration.ofSeconds(60);

    /** The limit under which the reference answers were made; none comes near it. */
    private static final int MAX_TOKENS = 80;

    /** What one question became on its way. */
    private record Answer(List<Integer> promptIds, List<Integer> ids, String text) {}

    @ParameterizedTest
    @EnumSource(ComputeType.class)
    void answer_referenceQuestions_areTheReference(ComputeType type) {
        try (ModelHost host = new ModelHost(
                Settings.model(MiniEvaluation.MODEL, "dtype=" + type),
                Settings.engine(),
                Settings.pool(),
                MemoryLedger.ofMachine(),
                Clock.systemUTC())) {
            assertThat(host.pool().ready()).succeedsWithin(PATIENCE);
            SoftAssertions softly = new SoftAssertions();
            for (Reference reference : MiniEvaluation.references()) {
                boolean exact = type == ComputeType.FLOAT32;
                Answer expected = new Answer(
                        reference.promptIds(),
                        exact ? reference.float32Ids() : reference.bfloat16Ids(),
                        exact ? reference.float32Text() : reference.bfloat16Text());
                softly.assertThat(answer(
                                host, MiniEvaluation.question(reference.id()).messages()))
                        .as("question %s", reference.id())
                        .isEqualTo(expected);
            }
            softly.assertAll();
        }
    }

    @Test
    void references_wholeFile_arePresent() {
        assertThat(MiniEvaluation.references()).hasSizeGreaterThanOrEqualTo(40);
        assertThat(MiniEvaluation.references())
                .allSatisfy(reference -> assertThat(reference.float32Ids()).hasSizeLessThan(MAX_TOKENS));
    }

    private static Answer answer(ModelHost host, JsonNode conversation) {
        ModelHost.Parts parts = host.parts();
        List<Message> messages = messages(conversation);
        PreparedPrompt prompt = parts.processor()
                .prepare(
                        parts.template().items(messages, false),
                        parts.description().contextLength());
        SequenceRequest request = new SequenceRequest(
                new ModelInput(prompt.inputIds(), prompt.imageIndex(), images(parts, conversation)),
                SamplingParams.GREEDY,
                MAX_TOKENS,
                parts.stopIds(),
                parts.bannedIds());
        List<Integer> ids = host.pool()
                .generate(request)
                .ofType(SequenceEvent.Token.class)
                .map(SequenceEvent.Token::id)
                .collectList()
                .block(PATIENCE);
        TextStream stream = new TextStream(parts.tokenizer().incrementalDecoder(), List.of());
        StringBuilder text = new StringBuilder();
        ids.stream().filter(id -> !parts.stopIds().contains(id)).forEach(id -> text.append(stream.append(id)));
        text.append(stream.finish());
        return new Answer(
                Arrays.stream(prompt.inputIds()).boxed().toList(),
                ids,
                text.toString().strip());
    }

    private static List<Message> messages(JsonNode conversation) {
        List<Message> messages = new ArrayList<>();
        for (JsonNode turn : conversation) {
            List<ContentPart> content = new ArrayList<>();
            for (JsonNode part : turn.get("content")) {
                content.add(
                        MiniEvaluation.isImage(part)
                                ? new ContentPart.ImageRef(part.get("path").textValue(), "")
                                : new ContentPart.Text(part.get("text").textValue()));
            }
            messages.add(new Message(Role.valueOf(turn.get("role").textValue().toUpperCase(Locale.ROOT)), content));
        }
        return messages;
    }

    /** The pictures, not turned upright: the reference does not do it. */
    private static List<PixelValues> images(ModelHost.Parts parts, JsonNode conversation) {
        ImageDecoder decoder = new ImageDecoder(ImageLimits.defaults(), false, 100_000_000);
        List<PixelValues> images = new ArrayList<>();
        for (JsonNode turn : conversation) {
            for (JsonNode part : turn.get("content")) {
                if (MiniEvaluation.isImage(part)) {
                    var pixels = parts.imageProcessor().pixelValues(decoder.decode(MiniEvaluation.file(part), "image"));
                    images.add(new PixelValues(pixels, parts.imageProcessor().imageSize()));
                }
            }
        }
        return images;
    }
}
