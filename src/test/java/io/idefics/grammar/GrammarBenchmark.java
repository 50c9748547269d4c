package io.idefics.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import io.idefics.engine.TokenConstraint;
import java.io.PrintStream;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Supplier;

/**
 * Times what constrained decoding costs a token, mask and accept together, with the whole vocabulary and random logits.
 * Not a test: run its main method with the class path of the tests. The first answers are told apart from the later
 * ones, since what is known of a grammar grows with use.
 */
final class GrammarBenchmark {

    /** What a decode step of the 9B model takes on two CPU cores, and about what it takes on a GPU. */
    private static final double CPU_STEP_MILLIS = 636;

    private static final double GPU_STEP_MILLIS = 20;

    private static final int ANSWERS = 40;
    private static final int BUDGET = 400;

    private GrammarBenchmark() {}

    public static void main(String[] args) {
        PrintStream out = System.out;
        Map<String, Supplier<TokenGrammar>> formats = new LinkedHashMap<>();
        formats.put("json_object", () -> fresh().jsonObject());
        formats.put("person (small schema)", () -> fresh().schema(person(), true, "schema"));
        formats.put("invoice (arrays, formats, bounds)", () -> fresh().schema(invoice(), false, "schema"));
        formats.put("200 optional properties", () -> fresh().schema(optional(), false, "schema"));
        formats.put("recursive anyOf", () -> fresh().schema(recursive(), false, "schema"));
        formats.put("strings with counts and patterns", () -> fresh().schema(patterns(), false, "schema"));
        formats.put("regex (.*a.{50}){3}", () -> fresh().regex("(.*a.{50}){3}", "regex"));
        formats.put("choice of 1000", () -> fresh().choice(
                        new Random(1)
                                .ints(1_000, 0, 1 << 30)
                                .mapToObj(n -> "label " + Integer.toString(n, 36))
                                .toList(),
                        "choice"));
        formats.put("without three words", () -> fresh().without(List.of("bad", "worse", "worst"), "bad"));
        out.printf(
                "%-36s %9s %6s | %8s %8s %8s | %8s %8s %8s | %9s %9s%n",
                "format",
                "compile",
                "tokens",
                "cold p50",
                "p99",
                "max",
                "warm p50",
                "p99",
                "max",
                "of 636 ms",
                "of 20 ms");
        // The first round only warms up the compiler of the JVM.
        for (int round = 0; round < 2; round++) {
            for (Map.Entry<String, Supplier<TokenGrammar>> format : formats.entrySet()) {
                String line = measure(format.getKey(), format.getValue());
                if (round > 0) {
                    out.println(line);
                }
            }
        }
    }

    /** Nothing known yet. */
    private static TokenGrammars fresh() {
        return new TokenGrammars(Answers.FULL, Answers.FULL_STOPS);
    }

    private static String measure(String name, Supplier<TokenGrammar> compiler) {
        fresh();
        long start = System.nanoTime();
        TokenGrammar grammar = compiler.get();
        double compile = millis(System.nanoTime() - start);
        double[] cold = times(grammar, 3, 1);
        double[] warm = times(grammar, ANSWERS, 1_000);
        return String.format(
                "%-36s %6.1f ms %6d | %8.3f %8.3f %8.3f | %8.3f %8.3f %8.3f | %8.4f%% %8.3f%%",
                name,
                compile,
                warm.length,
                percentile(cold, 50),
                percentile(cold, 99),
                percentile(cold, 100),
                percentile(warm, 50),
                percentile(warm, 99),
                percentile(warm, 100),
                100 * percentile(warm, 50) / CPU_STEP_MILLIS,
                100 * percentile(warm, 50) / GPU_STEP_MILLIS);
    }

    /** Milliseconds a token over some answers, sorted. */
    private static double[] times(TokenGrammar grammar, int answers, long seed) {
        double[] times = new double[answers * BUDGET];
        int count = 0;
        for (int answer = 0; answer < answers; answer++) {
            Random random = new Random(seed + answer);
            TokenConstraint constraint = grammar.constraint();
            float[] logits = new float[Answers.FULL.maxId() + 1];
            for (int remaining = BUDGET; remaining > 0; remaining--) {
                for (int id = 0; id < logits.length; id++) {
                    logits[id] = random.nextFloat();
                }
                long start = System.nanoTime();
                constraint.mask(logits, remaining);
                long masked = System.nanoTime();
                int best = 0;
                for (int id = 1; id < logits.length; id++) {
                    best = logits[id] > logits[best] ? id : best;
                }
                long chosen = System.nanoTime();
                constraint.accept(best);
                times[count++] = millis(System.nanoTime() - chosen + masked - start);
                if (Answers.FULL_STOPS.contains(best)) {
                    break;
                }
            }
        }
        double[] all = Arrays.copyOf(times, count);
        Arrays.sort(all);
        return all;
    }

    private static double millis(long nanos) {
        return nanos / 1e6;
    }

    private static double percentile(double[] sorted, int percent) {
        return sorted[Math.min(sorted.length - 1, sorted.length * percent / 100)];
    }

    private static JsonNode person() {
        return Validation.parse(
                """
                {"type": "object", "additionalProperties": false, "required": ["name", "age", "email", "tags"],
                 "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "email": {"type": "string"},
                   "tags": {"type": "array", "items": {"type": "string"}}}}""");
    }

    private static JsonNode invoice() {
        return Validation.parse(
                """
                {"type": "object", "required": ["number", "date", "currency", "lines", "total"],
                 "properties": {
                   "number": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4,8}$"},
                   "date": {"type": "string", "format": "date"},
                   "sent": {"type": "string", "format": "date-time"},
                   "currency": {"enum": ["EUR", "USD", "GBP", "CHF"]},
                   "lines": {"type": "array", "minItems": 1, "maxItems": 50, "items": {
                     "type": "object", "required": ["text", "quantity", "price"], "properties": {
                       "text": {"type": "string", "minLength": 1, "maxLength": 200},
                       "quantity": {"type": "integer", "minimum": 1, "maximum": 1000},
                       "price": {"type": "number", "minimum": 0, "multipleOf": 0.01}}}},
                   "total": {"type": "number", "exclusiveMinimum": 0}}}""");
    }

    private static JsonNode optional() {
        StringBuilder json = new StringBuilder("{\"type\":\"object\",\"properties\":{");
        for (int i = 0; i < 200; i++) {
            json.append(i == 0 ? "" : ",").append("\"field_").append(i).append("\":{\"type\":[\"string\",\"null\"]}");
        }
        return Validation.parse(json.append("}}").toString());
    }

    private static JsonNode recursive() {
        return Validation.parse(
                """
                {"$ref": "#/$defs/node", "$defs": {"node": {"anyOf": [
                   {"type": "object", "properties": {"left": {"$ref": "#/$defs/node"}, "right": {"$ref": "#/$defs/node"}},
                    "required": ["left", "right"], "additionalProperties": false},
                   {"type": "array", "items": {"$ref": "#/$defs/node"}},
                   {"type": "string"}, {"type": "number"}]}}}""");
    }

    private static JsonNode patterns() {
        return Validation.parse(
                """
                {"type": "object", "required": ["a", "b", "c", "d"], "properties": {
                   "a": {"type": "string", "minLength": 20, "maxLength": 2000},
                   "b": {"type": "string", "pattern": "^.+@.+\\\\..{2,63}$"},
                   "c": {"type": "string", "pattern": "[0-9]{3}", "maxLength": 60},
                   "d": {"type": "string", "pattern": "^(?:[a-z]{1,20} ){3,10}[a-z]+$"}}}""");
    }
}
