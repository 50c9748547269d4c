package io.idefics.testing;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** The evaluation set of the embedded model, and the answers of the reference implementation to some of it. */
public final class MiniEvaluation {

    /** The checkpoint as it goes into the jar. */
    public static final Path MODEL = Path.of("src/main/resources/models/idefics-mini-instruct");

    private static final Path ROOT = Path.of("src/test/resources/mini-eval");
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern LIGHT_COLOR = Pattern.compile("light (blue|green|yellow)");
    private static final Pattern WORD = Pattern.compile("[\\w-]+", Pattern.UNICODE_CHARACTER_CLASS);

    private MiniEvaluation() {}

    /**
     * A conversation and what its answer has to say.
     *
     * @param messages turns whose content is a list of texts and paths of pictures, as in the file
     * @param expectedFacts the words and phrases that a right answer contains
     */
    public record Question(int id, String category, JsonNode messages, List<String> expectedFacts) {

        /** The turns as OpenAI writes them, pictures as data URLs. */
        public ArrayNode openAiMessages() {
            ArrayNode turns = JsonNodeFactory.instance.arrayNode();
            for (JsonNode message : messages) {
                ObjectNode turn =
                        turns.addObject().put("role", message.get("role").textValue());
                ArrayNode content = turn.putArray("content");
                for (JsonNode part : message.get("content")) {
                    ObjectNode written = content.addObject().put("type", isImage(part) ? "image_url" : "text");
                    if (isImage(part)) {
                        written.putObject("image_url").put("url", dataUrl(file(part)));
                    } else {
                        written.put("text", part.get("text").textValue());
                    }
                }
            }
            return turns;
        }

        /** Whether an answer contains every fact, by the rules of {@code evaluate.py}. */
        public boolean isAnsweredBy(String answer) {
            String text = joinLightColors(answer);
            List<String> exact = words(text);
            List<String> lower = words(text.toLowerCase());
            return expectedFacts.stream().allMatch(fact -> contains(joinLightColors(fact), text, exact, lower));
        }

        private boolean contains(String fact, String text, List<String> exact, List<String> lower) {
            long needed = expectedFacts.stream()
                    .filter(other -> joinLightColors(other).equals(fact))
                    .count();
            String verdict = lower.isEmpty() ? "" : lower.get(0);
            if (isVerdict(fact) && expectedFacts.size() <= 2 && isVerdict(verdict)) {
                return verdict.equals(fact);
            }
            if (fact.contains(" ") || fact.contains("-")) {
                return text.toLowerCase().contains(fact.toLowerCase());
            }
            if (fact.length() == 1 && Character.isUpperCase(fact.charAt(0))) {
                return exact.stream().filter(fact::equals).count() >= needed;
            }
            return lower.stream().filter(fact.toLowerCase()::equals).count() >= needed;
        }

        private static boolean isVerdict(String word) {
            return word.equals("yes") || word.equals("no");
        }

        private static String joinLightColors(String text) {
            return LIGHT_COLOR.matcher(text).replaceAll("light_$1");
        }

        private static List<String> words(String text) {
            return WORD.matcher(text).results().map(match -> match.group()).toList();
        }
    }

    /**
     * The greedy answer of the reference implementation.
     *
     * @param promptIds the whole prompt
     * @param bfloat16Ids the answer where everything is computed in bfloat16
     * @param float32Ids the answer where the stored weights are computed in float32
     * @param bfloat16Text the text of the former
     * @param float32Text the text of the latter
     */
    public record Reference(
            int id,
            List<Integer> promptIds,
            List<Integer> bfloat16Ids,
            List<Integer> float32Ids,
            String bfloat16Text,
            String float32Text) {}

    /** All questions. */
    public static List<Question> questions() {
        return lines("questions.jsonl")
                .map(line -> new Question(
                        line.get("id").intValue(),
                        line.get("category").textValue(),
                        line.get("messages"),
                        strings(line.get("expected_facts"))))
                .toList();
    }

    /** The question of that id. */
    public static Question question(int id) {
        return questions().stream().filter(q -> q.id() == id).findFirst().orElseThrow();
    }

    /** The answers of the reference implementation. */
    public static List<Reference> references() {
        return lines("reference_answers.jsonl")
                .map(line -> new Reference(
                        line.get("id").intValue(),
                        integers(line.get("prompt_ids")),
                        integers(line.get("generated_ids")),
                        integers(line.get("generated_ids_f32")),
                        line.get("text").textValue(),
                        line.get("text_f32").textValue()))
                .toList();
    }

    /** Whether a part of a message is a picture. */
    public static boolean isImage(JsonNode part) {
        return part.get("type").textValue().equals("image");
    }

    /** The bytes of the picture that a part of a message names. */
    public static byte[] file(JsonNode part) {
        return image(part.get("path").textValue());
    }

    /** The bytes of a picture, as in {@code images/001.png}. */
    public static byte[] image(String path) {
        try {
            return Files.readAllBytes(ROOT.resolve(path));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A data URL, whose media type nobody reads. */
    public static String dataUrl(byte[] bytes) {
        return "data:image/png;base64," + Base64.getEncoder().encodeToString(bytes);
    }

    private static Stream<JsonNode> lines(String name) {
        try {
            List<JsonNode> lines = new ArrayList<>();
            for (String line : Files.readAllLines(ROOT.resolve(name))) {
                lines.add(JSON.readTree(line));
            }
            return lines.stream();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<Integer> integers(JsonNode array) {
        return elements(array).map(JsonNode::intValue).toList();
    }

    private static List<String> strings(JsonNode array) {
        return elements(array).map(JsonNode::textValue).toList();
    }

    private static Stream<JsonNode> elements(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false);
    }
}
