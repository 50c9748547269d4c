package io.idefics.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.tokenizer.IdeficsTokenizer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/**
 * Compiles forms of answers for the vocabulary of one model; those compiled lately are kept. Safe for use by several
 * threads.
 */
public final class TokenGrammars {

    /*
     * A form becomes a grammar over bytes (Node), which a pushdown automaton follows (GrammarMachine): its terminals are
     * automata over bytes (ByteState), its tokens those ways through the trie of the vocabulary that the automaton has.
     * Whatever the model prefers, only texts of the grammar come out, and since each state knows how many tokens its
     * cheapest end takes, none is begun that could not be ended.
     */

    /** The most strings of a choice, or to avoid. */
    static final int MAX_STRINGS = 10_000;

    /** The most characters of all these strings together. */
    static final int MAX_STRING_LENGTH = 200_000;

    private static final String WITHOUT = "without";
    private static final int KEPT_GRAMMARS = 64;

    private record Format(String kind, Object form) {}

    private final Vocabulary vocabulary;
    private final SharedAutomata shared = new SharedAutomata();
    private final KnownStates known;
    private final Cache<Format, TokenGrammar> compiled = Caffeine.newBuilder()
            .maximumSize(KEPT_GRAMMARS)
            .executor(Runnable::run)
            .build();

    /**
     * Prepares a vocabulary.
     *
     * @param stopIds the tokens that end an answer, all alike
     * @throws IllegalArgumentException if the vocabulary lacks a token for a single byte
     */
    public TokenGrammars(IdeficsTokenizer tokenizer, Collection<Integer> stopIds) {
        this(pieces(tokenizer), stopIds);
    }

    TokenGrammars(List<byte @Nullable []> pieces, Collection<Integer> stopIds) {
        TokenTrie trie = new TokenTrie(pieces);
        this.known = new KnownStates(trie);
        long[] spaced = TokenSet.bits(trie.size());
        int space = known.space();
        for (int node = space; node < trie.end(space); node++) {
            for (int i = 0; i < trie.idCount(node); i++) {
                TokenSet.add(spaced, trie.id(node, i));
            }
        }
        this.vocabulary = new Vocabulary(
                pieces,
                trie,
                TokenSet.of(spaced),
                stopIds.stream().mapToInt(Integer::intValue).sorted().toArray());
    }

    private static List<byte @Nullable []> pieces(IdeficsTokenizer tokenizer) {
        List<byte @Nullable []> pieces = new ArrayList<>();
        for (int id = 0; id <= tokenizer.maxId(); id++) {
            pieces.add(tokenizer.piece(id).bytes());
        }
        return pieces;
    }

    /** Any JSON object. */
    public TokenGrammar jsonObject() {
        return compile("json_object", "", "response_format", (nodes, json) -> json.anyObject());
    }

    /**
     * Texts that a regular expression describes as a whole.
     *
     * @param param the path of the expression in the request, for errors
     * @throws GenerationException where it is malformed, has no text or is not supported
     */
    public TokenGrammar regex(String pattern, String param) {
        return compile("regex", pattern, param, (nodes, json) -> {
            Node node = RegexParser.parse(pattern, param).whole().node(nodes, new Utf8(nodes));
            if (node.cost() >= Node.IMPOSSIBLE) {
                throw invalid("The regular expression matches no text.", param);
            }
            return json.terminal(node);
        });
    }

    /**
     * One of some texts.
     *
     * @param param the path of the texts in the request, for errors
     * @throws GenerationException of type INVALID_VALUE where there are none or too many
     */
    public TokenGrammar choice(List<String> texts, String param) {
        requireStrings(texts, param);
        return compile("choice", List.copyOf(texts), param, (nodes, json) -> json.terminal(nodes.literals(texts)));
    }

    /**
     * Any text in which none of some strings occurs.
     *
     * @param param the path of the strings in the request, for errors
     * @throws GenerationException of type INVALID_VALUE where there are none or too many, or one is empty
     */
    public TokenGrammar without(List<String> strings, String param) {
        requireStrings(strings, param);
        if (strings.contains("")) {
            throw invalid(param + " has an empty string, which occurs in every text.", param);
        }
        return compile(
                WITHOUT,
                List.copyOf(strings),
                param,
                (nodes, json) -> nodes.terminal(AvoidedStrings.of(strings, nodes.effort())));
    }

    /**
     * Values that satisfy a JSON Schema.
     *
     * @param strict whether the schema must also keep the rules that OpenAI documents for strict ones
     * @param param the path of the schema in the request, for errors
     * @throws GenerationException where the schema is malformed, not supported, too large or without a value
     */
    public TokenGrammar schema(JsonNode schema, boolean strict, String param) {
        return compile(strict ? "strict schema" : "schema", schema.toString(), param, (nodes, json) -> {
            SchemaError error = new SchemaError(param);
            if (strict) {
                StrictRules.check(new SchemaDocument(schema, error));
            }
            return new SchemaCompiler(schema, nodes, json, error).compile();
        });
    }

    private TokenGrammar compile(String kind, Object form, String param, BiFunction<Nodes, JsonNodes, Node> compiler) {
        return compiled.get(new Format(kind, form), format -> {
            Nodes nodes = new Nodes(vocabulary.trie(), new CompileEffort(param));
            Node root = compiler.apply(nodes, new JsonNodes(nodes, shared));
            nodes.settle();
            if (root.cost() >= Node.IMPOSSIBLE) {
                throw invalid(param + " cannot be satisfied by any text that ends.", param);
            }
            return new TokenGrammar(new GrammarMachine(root, known), vocabulary, kind.equals(WITHOUT));
        });
    }

    private static void requireStrings(List<String> texts, String param) {
        if (texts.isEmpty()) {
            throw invalid(param + " must have at least one string.", param);
        }
        if (texts.size() > MAX_STRINGS) {
            throw invalid(param + " has " + texts.size() + " strings, more than " + MAX_STRINGS + ".", param);
        }
        long length = 0;
        for (String text : texts) {
            length += text.length();
            if (text.codePoints().anyMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE)) {
                throw invalid(param + " has a string with half a surrogate pair.", param);
            }
        }
        if (length > MAX_STRING_LENGTH) {
            throw invalid(
                    param + " has strings of " + length + " characters, more than " + MAX_STRING_LENGTH + ".", param);
        }
    }

    private static GenerationException invalid(String message, String param) {
        return new GenerationException(ErrorType.INVALID_VALUE, message, param);
    }
}
