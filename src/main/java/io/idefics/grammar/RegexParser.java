package io.idefics.grammar;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads regular expressions as ECMA-262 writes them with the flag u, without what no automaton can do (backreferences)
 * and without lookaround and word boundaries. Not thread-safe.
 *
 * <p>Where engines differ, only that is generated which all of them match: {@code .} is no line terminator of any
 * engine, {@code \d}, {@code \w} and {@code \s} are ASCII, and {@code \D}, {@code \W} and {@code \S} are what is
 * neither in ASCII nor in Unicode a digit, part of a word or white space.
 */
final class RegexParser {

    static final int MAX_LENGTH = 10_000;
    static final int MAX_GROUPS = 100;

    /** The most that a count of repetitions may be. */
    static final int MAX_COUNT = 100_000;

    private static final CodePoints DIGITS = CodePoints.range('0', '9');
    private static final CodePoints WORD =
            DIGITS.or(CodePoints.range('a', 'z')).or(CodePoints.range('A', 'Z')).or(CodePoints.of('_'));
    private static final CodePoints SPACES = CodePoints.of("\t\n\u000B\f\r ");
    private static final CodePoints DOT =
            CodePoints.of("\n\r\u0085\u2028\u2029").not();

    /** The same in the widest sense of any engine. */
    private static final class Wide {

        static final CodePoints DIGITS = CodePoints.where(Character::isDigit);
        static final CodePoints WORD = CodePoints.where(RegexParser::isWordAnywhere);
        static final CodePoints SPACES = CodePoints.where(
                c -> Character.isWhitespace(c) || Character.isSpaceChar(c) || c == 0x85 || c == 0xFEFF || c == 0x180E);
    }

    private final String pattern;
    private final String param;
    private int at;
    private int depth;

    private RegexParser(String pattern, String param) {
        this.pattern = pattern;
        this.param = param;
    }

    /**
     * Reads an expression.
     *
     * @param param where it stands in the request, for the error
     * @throws GenerationException of type INVALID_VALUE where it is malformed or too large, of type
     *     UNSUPPORTED_PARAMETER where it uses what is not supported
     */
    static Regex parse(String pattern, String param) {
        return new RegexParser(pattern, param).parse();
    }

    private static boolean isWordAnywhere(int c) {
        return Character.isLetterOrDigit(c)
                || switch (Character.getType(c)) {
                    case Character.NON_SPACING_MARK,
                            Character.COMBINING_SPACING_MARK,
                            Character.ENCLOSING_MARK,
                            Character.CONNECTOR_PUNCTUATION,
                            Character.LETTER_NUMBER,
                            Character.OTHER_NUMBER -> true;
                    default -> Character.isAlphabetic(c) || c == 0x200C || c == 0x200D;
                };
    }

    private Regex parse() {
        if (pattern.length() > MAX_LENGTH) {
            throw invalid("has " + pattern.length() + " characters, more than " + MAX_LENGTH);
        }
        Regex regex = alternatives();
        if (at < pattern.length()) {
            throw invalid("has a ) without its ( at position " + at);
        }
        return regex;
    }

    private Regex alternatives() {
        List<Regex> alternatives = new ArrayList<>();
        alternatives.add(sequence());
        while (take('|')) {
            alternatives.add(sequence());
        }
        return Regex.union(alternatives);
    }

    private Regex sequence() {
        List<Regex> parts = new ArrayList<>();
        while (at < pattern.length() && peek() != '|' && peek() != ')') {
            parts.add(quantified());
        }
        return Regex.sequence(parts);
    }

    private Regex quantified() {
        int from = at;
        Regex atom = atom();
        if (at >= pattern.length()) {
            return atom;
        }
        int min;
        int max;
        if (take('*')) {
            min = 0;
            max = Node.UNBOUNDED;
        } else if (take('+')) {
            min = 1;
            max = Node.UNBOUNDED;
        } else if (take('?')) {
            min = 0;
            max = 1;
        } else if (take('{')) {
            min = count();
            max = min;
            if (take(',')) {
                max = at < pattern.length() && peek() == '}' ? Node.UNBOUNDED : count();
            }
            expect('}');
            if (min > max) {
                throw invalid("repeats between " + min + " and " + max + " times at position " + from);
            }
        } else {
            return atom;
        }
        if (atom instanceof Regex.Anchor) {
            throw invalid("repeats an anchor at position " + from);
        }
        boolean anchored = atom.hasAnchor();
        if (anchored && max > 1) {
            throw unsupported("an anchor within a repetition", from);
        }
        take('?'); // A lazy repetition has the same texts.
        if (at < pattern.length() && "*+?{".indexOf(peek()) >= 0) {
            throw invalid("has nothing to repeat at position " + at);
        }
        if (anchored) {
            return max == 0 ? Regex.EMPTY : min == 1 ? atom : Regex.union(List.of(atom, Regex.EMPTY));
        }
        return Regex.loop(atom, min, max);
    }

    private int count() {
        int from = at;
        long count = 0;
        while (at < pattern.length() && Character.digit(peek(), 10) >= 0 && peek() < 0x80) {
            count = Math.min(count * 10 + (next() - '0'), Integer.MAX_VALUE);
        }
        if (at == from) {
            throw invalid("has a { without a count at position " + from + "; write \\{ for the character");
        }
        if (count > MAX_COUNT) {
            throw invalid("repeats something more than " + MAX_COUNT + " times at position " + from);
        }
        return (int) count;
    }

    private Regex atom() {
        int from = at;
        int c = next();
        switch (c) {
            case '^':
                return new Regex.Anchor(true);
            case '$':
                return new Regex.Anchor(false);
            case '.':
                return new Regex.Characters(DOT);
            case '(':
                return group();
            case '[':
                return new Regex.Characters(set());
            case '\\':
                return new Regex.Characters(escape(false));
            case '*', '+', '?', '{':
                throw invalid("has nothing to repeat at position " + from);
            case ']', '}':
                throw invalid("has a " + (char) c + " without its beginning at position " + from + "; write \\"
                        + (char) c + " for the character");
            default:
                return new Regex.Characters(character(c));
        }
    }

    private Regex group() {
        int from = at - 1;
        if (++depth > MAX_GROUPS) {
            throw invalid("nests groups deeper than " + MAX_GROUPS);
        }
        if (take('?')) {
            if (take('<')) {
                if (at < pattern.length() && (peek() == '=' || peek() == '!')) {
                    throw unsupported("lookbehind", from);
                }
                int end = pattern.indexOf('>', at);
                if (end <= at) {
                    throw invalid("has a group without the end of its name at position " + from);
                }
                at = end + 1;
            } else if (!take(':')) {
                boolean looks = at < pattern.length() && (peek() == '=' || peek() == '!');
                throw unsupported(looks ? "lookahead" : "a group with flags", from);
            }
        }
        Regex regex = alternatives();
        expect(')');
        depth--;
        return regex;
    }

    /** The rest of a set in brackets. */
    private CodePoints set() {
        int from = at - 1;
        boolean negated = take('^');
        CodePoints set = CodePoints.NONE;
        while (true) {
            if (at >= pattern.length()) {
                throw invalid("has a [ without its ] at position " + from);
            }
            if (take(']')) {
                return negated ? set.not() : set;
            }
            int begin = at;
            CodePoints low = setAtom(negated);
            int first = only(low);
            // After a class of characters a hyphen stands for itself.
            if (first >= 0 && at + 1 < pattern.length() && peek() == '-' && pattern.charAt(at + 1) != ']') {
                at++;
                int last = only(setAtom(negated));
                if (last < 0) {
                    throw invalid("has a range that does not end in a character at position " + begin);
                }
                if (first > last) {
                    throw invalid("has a range that ends before it begins at position " + begin);
                }
                set = set.or(CodePoints.range(first, last));
            } else {
                set = set.or(low);
            }
        }
    }

    private CodePoints setAtom(boolean negated) {
        if (at >= pattern.length()) {
            throw invalid("has a [ without its ]");
        }
        int c = next();
        if (c != '\\') {
            return character(c);
        }
        if (take('b')) {
            return CodePoints.of('\b');
        }
        if (take('-')) {
            return CodePoints.of('-');
        }
        return escape(negated);
    }

    /** The one character of a set; -1 if there are none or several. */
    private static int only(CodePoints set) {
        List<int[]> ranges = set.ranges();
        boolean one = ranges.size() == 1 && ranges.get(0)[0] == ranges.get(0)[1];
        return one ? ranges.get(0)[0] : -1;
    }

    /**
     * What follows a backslash.
     *
     * @param wide whether the set is to have all that any engine takes for it, rather than what all do
     */
    private CodePoints escape(boolean wide) {
        int from = at - 1;
        if (at >= pattern.length()) {
            throw invalid("ends in a backslash");
        }
        int c = next();
        return switch (c) {
            case 'd' -> wide ? Wide.DIGITS : DIGITS;
            case 'D' -> (wide ? DIGITS : Wide.DIGITS).not();
            case 'w' -> wide ? Wide.WORD : WORD;
            case 'W' -> (wide ? WORD : Wide.WORD).not();
            case 's' -> wide ? Wide.SPACES : SPACES;
            case 'S' -> (wide ? SPACES : Wide.SPACES).not();
            case 't' -> CodePoints.of('\t');
            case 'n' -> CodePoints.of('\n');
            case 'r' -> CodePoints.of('\r');
            case 'f' -> CodePoints.of('\f');
            case 'v' -> CodePoints.of('\u000B');
            case '0' -> {
                if (at < pattern.length() && Character.isDigit(peek())) {
                    throw unsupported("an octal escape", from);
                }
                yield CodePoints.of(0);
            }
            case 'c' -> {
                int letter = at < pattern.length() ? next() : 0;
                if (!(letter >= 'a' && letter <= 'z' || letter >= 'A' && letter <= 'Z')) {
                    throw invalid("has a malformed escape at position " + from);
                }
                yield CodePoints.of(letter % 32);
            }
            case 'x' -> character(hex(2, from));
            case 'u' -> character(unicode(from));
            case 'p', 'P' -> property(c == 'P', wide, from);
            case 'b', 'B' -> throw unsupported("a word boundary", from);
            case 'k' -> throw unsupported("a backreference", from);
            default -> {
                if (c >= '1' && c <= '9') {
                    throw unsupported("a backreference", from);
                }
                if (Character.isLetterOrDigit(c)) {
                    throw unsupported("the escape \\" + Character.toString(c), from);
                }
                yield character(c);
            }
        };
    }

    private int unicode(int from) {
        if (take('{')) {
            int end = pattern.indexOf('}', at);
            if (end < 0 || end == at || end > at + 6) {
                throw invalid("has a malformed escape at position " + from);
            }
            int value = hex(end - at, from);
            expect('}');
            if (value > Character.MAX_CODE_POINT) {
                throw invalid("has a character beyond Unicode at position " + from);
            }
            return value;
        }
        int value = hex(4, from);
        if (Character.isHighSurrogate((char) value) && pattern.startsWith("\\u", at)) {
            int before = at;
            at += 2;
            int low = hex(4, from);
            if (Character.isLowSurrogate((char) low)) {
                return Character.toCodePoint((char) value, (char) low);
            }
            at = before;
        }
        return value;
    }

    private int hex(int digits, int from) {
        int value = 0;
        for (int i = 0; i < digits; i++) {
            int digit = at < pattern.length() ? Character.digit(next(), 16) : -1;
            if (digit < 0) {
                throw invalid("has a malformed escape at position " + from);
            }
            value = value * 16 + digit;
        }
        return value;
    }

    /** A general category such as {@code \p{Lu}}. */
    private CodePoints property(boolean negated, boolean wide, int from) {
        int end = pattern.startsWith("{", at) ? pattern.indexOf('}', at) : -1;
        if (end < 0) {
            throw invalid("has a malformed \\p at position " + from);
        }
        String name = pattern.substring(at + 1, end);
        at = end + 1;
        String category = name.replaceFirst("^(General_Category|gc)=", "");
        CodePoints set = Categories.named(category);
        if (set == null) {
            throw unsupported("the property \\p{" + name + "} (general categories such as L, Lu or Nd are)", from);
        }
        // Engines know different versions of Unicode: what is unassigned here may have the category elsewhere.
        if (negated != wide) {
            set = set.or(Categories.UNASSIGNED);
        }
        return negated ? set.not() : set;
    }

    private CodePoints character(int c) {
        if (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE) {
            throw invalid("has half a surrogate pair");
        }
        return CodePoints.of(c);
    }

    private int peek() {
        return pattern.codePointAt(at);
    }

    private int next() {
        int c = pattern.codePointAt(at);
        at += Character.charCount(c);
        return c;
    }

    private boolean take(char c) {
        boolean found = at < pattern.length() && pattern.charAt(at) == c;
        if (found) {
            at++;
        }
        return found;
    }

    private void expect(char c) {
        if (!take(c)) {
            throw invalid("lacks a " + c + " at position " + at);
        }
    }

    private GenerationException invalid(String what) {
        return new GenerationException(ErrorType.INVALID_VALUE, "The regular expression " + what + ".", param);
    }

    private GenerationException unsupported(String what, int position) {
        return new GenerationException(
                ErrorType.UNSUPPORTED_PARAMETER,
                "The regular expression uses " + what + " at position " + position + ", which is not supported.",
                param);
    }
}
