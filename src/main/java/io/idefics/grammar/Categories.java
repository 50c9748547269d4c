package io.idefics.grammar;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** The general categories of Unicode as sets of code points. */
final class Categories {

    /** The code points that no version of Unicode known here gives a meaning. */
    static final CodePoints UNASSIGNED = CodePoints.where(c -> Character.getType(c) == Character.UNASSIGNED);

    private static final String[] SHORT_NAMES = shortNames();

    private static final Map<String, String> LONG_NAMES = Map.ofEntries(
            Map.entry("Letter", "L"),
            Map.entry("Lowercase_Letter", "Ll"),
            Map.entry("Uppercase_Letter", "Lu"),
            Map.entry("Titlecase_Letter", "Lt"),
            Map.entry("Modifier_Letter", "Lm"),
            Map.entry("Other_Letter", "Lo"),
            Map.entry("Mark", "M"),
            Map.entry("Number", "N"),
            Map.entry("Decimal_Number", "Nd"),
            Map.entry("Letter_Number", "Nl"),
            Map.entry("Other_Number", "No"),
            Map.entry("Punctuation", "P"),
            Map.entry("Symbol", "S"),
            Map.entry("Separator", "Z"),
            Map.entry("Space_Separator", "Zs"));

    private static final Map<String, CodePoints> KNOWN = new ConcurrentHashMap<>();

    private Categories() {}

    /** A category by its short or long name; null if there is none. */
    static @Nullable CodePoints named(String name) {
        String category = LONG_NAMES.getOrDefault(name, name);
        boolean exists = !category.isEmpty() && category.length() <= 2 && !category.startsWith("C");
        if (!exists || Arrays.stream(SHORT_NAMES).noneMatch(known -> known.startsWith(category))) {
            return null;
        }
        return KNOWN.computeIfAbsent(
                category, c -> CodePoints.where(codePoint -> SHORT_NAMES[Character.getType(codePoint)].startsWith(c)));
    }

    /** Two letters by the number that {@link Character#getType(int)} gives. */
    private static String[] shortNames() {
        Map<Byte, String> names = new HashMap<>();
        names.put(Character.UPPERCASE_LETTER, "Lu");
        names.put(Character.LOWERCASE_LETTER, "Ll");
        names.put(Character.TITLECASE_LETTER, "Lt");
        names.put(Character.MODIFIER_LETTER, "Lm");
        names.put(Character.OTHER_LETTER, "Lo");
        names.put(Character.NON_SPACING_MARK, "Mn");
        names.put(Character.COMBINING_SPACING_MARK, "Mc");
        names.put(Character.ENCLOSING_MARK, "Me");
        names.put(Character.DECIMAL_DIGIT_NUMBER, "Nd");
        names.put(Character.LETTER_NUMBER, "Nl");
        names.put(Character.OTHER_NUMBER, "No");
        names.put(Character.CONNECTOR_PUNCTUATION, "Pc");
        names.put(Character.DASH_PUNCTUATION, "Pd");
        names.put(Character.START_PUNCTUATION, "Ps");
        names.put(Character.END_PUNCTUATION, "Pe");
        names.put(Character.INITIAL_QUOTE_PUNCTUATION, "Pi");
        names.put(Character.FINAL_QUOTE_PUNCTUATION, "Pf");
        names.put(Character.OTHER_PUNCTUATION, "Po");
        names.put(Character.MATH_SYMBOL, "Sm");
        names.put(Character.CURRENCY_SYMBOL, "Sc");
        names.put(Character.MODIFIER_SYMBOL, "Sk");
        names.put(Character.OTHER_SYMBOL, "So");
        names.put(Character.SPACE_SEPARATOR, "Zs");
        names.put(Character.LINE_SEPARATOR, "Zl");
        names.put(Character.PARAGRAPH_SEPARATOR, "Zp");
        String[] byType = new String[32];
        Arrays.fill(byType, "?");
        names.forEach((type, name) -> byType[type] = name);
        return byType;
    }
}
