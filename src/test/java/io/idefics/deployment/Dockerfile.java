package io.idefics.deployment;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The instructions of the project's Dockerfile. */
record Dockerfile(List<Instruction> instructions) {

    /** One instruction, such as {@code USER 1:1}, and the stage that it belongs to. */
    record Instruction(String stage, String name, String arguments) {}

    static Dockerfile read() {
        String text;
        try {
            text = Files.readString(Path.of("Dockerfile"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        List<Instruction> instructions = new ArrayList<>();
        String stage = "";
        for (String line :
                text.replaceAll("(?m)^#.*\n", "").replaceAll("\\\\\n", " ").split("\n")) {
            if (line.isBlank()) {
                continue;
            }
            String[] parts = line.strip().split("\\s+", 2);
            if (parts[0].equals("FROM")) {
                stage = parts[1].replaceAll(".* AS ", "");
            }
            instructions.add(new Instruction(stage, parts[0], parts[1].replaceAll("\\s+", " ")));
        }
        return new Dockerfile(List.copyOf(instructions));
    }

    /** The arguments of every instruction of that name, in order. */
    List<String> all(String name) {
        return instructions.stream()
                .filter(instruction -> instruction.name().equals(name))
                .map(Instruction::arguments)
                .toList();
    }

    /** The arguments of every instruction of that name in one stage, in order. */
    List<String> all(String stage, String name) {
        return instructions.stream()
                .filter(instruction -> instruction.stage().equals(stage))
                .filter(instruction -> instruction.name().equals(name))
                .map(Instruction::arguments)
                .toList();
    }

    /** The default values of the build arguments before the first stage. */
    Map<String, String> globalArguments() {
        Map<String, String> values = new TreeMap<>();
        for (String argument : all("", "ARG")) {
            String[] parts = argument.split("=", 2);
            values.put(parts[0], parts[1]);
        }
        return values;
    }

    /** The URL that the health check asks. */
    String healthUrl() {
        return all("HEALTHCHECK").get(0).replaceAll(".*\"(http[^\"]+)\".*", "$1");
    }
}
