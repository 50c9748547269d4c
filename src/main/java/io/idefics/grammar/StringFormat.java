package io.idefics.grammar;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The formats of strings that JSON Schema defines (Validation, section 7.3), as regular expressions. Each describes only
 * strings of the format, not all: those that validators agree on.
 */
enum StringFormat {
    /** RFC 3339, full-date, from 1000 to 2999. */
    DATE(Part.DATE),
    /** RFC 3339, full-time, without leap seconds. */
    TIME(Part.TIME),
    /** RFC 3339, date-time. */
    DATE_TIME(Part.DATE + "T" + Part.TIME),
    /** RFC 3339, appendix A. */
    DURATION(duration()),
    /** RFC 5321, without quotes and comments. */
    EMAIL("[A-Za-z0-9_+-]{1,20}(?:\\.[A-Za-z0-9_+-]{1,20}){0,2}@(?:" + Part.LABEL + "\\.){1,3}[A-Za-z]{2,18}"),
    /** RFC 1123. */
    HOSTNAME(Part.LABEL + "(?:\\." + Part.LABEL + "){0,3}"),
    /** RFC 2673, section 3.2. */
    IPV4("(?:" + Part.OCTET + "\\.){3}" + Part.OCTET),
    /** RFC 4291, section 2.2, without embedded IPv4 addresses. */
    IPV6(ipv6()),
    /** RFC 4122. */
    UUID("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}");

    /** Parts that several formats have. */
    private static final class Part {

        private static final String LEAP_YEAR = "(?:[12]\\d(?:0[48]|[2468][048]|[13579][26])|(?:1[26]|2[048])00)";

        static final String DATE = "(?:[12]\\d{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])"
                + "|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))|" + LEAP_YEAR + "-02-29)";

        static final String TIME = "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?"
                + "(?:Z|\\+(?:0\\d|1[0-3]):[0-5]\\d|-(?:(?:0[1-9]|1[0-3]):[0-5]\\d|00:(?:0[1-9]|[1-5]\\d)))";

        /** Begins with a letter, which no part of an address in numbers does. */
        static final String LABEL = "[A-Za-z][A-Za-z0-9]{0,19}(?:-[A-Za-z0-9]{1,20}){0,2}";

        static final String OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";

        static final String GROUP = "[0-9a-fA-F]{1,4}";
    }

    private final String pattern;

    StringFormat(String pattern) {
        this.pattern = pattern;
    }

    /** A format by its name in schemas; null if it is not known. */
    static @Nullable StringFormat named(String name) {
        return Arrays.stream(values())
                .filter(format -> format.schemaName().equals(name))
                .findFirst()
                .orElse(null);
    }

    /** The names in schemas. */
    static String names() {
        return Arrays.stream(values()).map(StringFormat::schemaName).collect(Collectors.joining(", "));
    }

    String schemaName() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    Regex regex() {
        return RegexParser.parse(pattern, "format");
    }

    private static String duration() {
        String time = "T(?:\\d{1,4}H(?:\\d{1,4}M(?:\\d{1,4}S)?)?|\\d{1,4}M(?:\\d{1,4}S)?|\\d{1,4}S)";
        String date = "(?:\\d{1,4}Y(?:\\d{1,4}M(?:\\d{1,4}D)?)?|\\d{1,4}M(?:\\d{1,4}D)?|\\d{1,4}D)";
        return "P(?:" + date + "(?:" + time + ")?|" + time + "|\\d{1,4}W)";
    }

    private static String ipv6() {
        Stream<String> shortened = IntStream.rangeClosed(0, 6)
                .mapToObj(before ->
                        groups(before, before) + "::" + (before == 6 ? "" : "(?:" + groups(1, 6 - before) + ")?"));
        return Stream.concat(Stream.of(groups(8, 8)), shortened).collect(Collectors.joining("|", "(?:", ")"));
    }

    /** Some groups with colons between them. */
    private static String groups(int min, int max) {
        return max == 0 ? "" : Part.GROUP + "(?::" + Part.GROUP + "){" + (min - 1) + "," + (max - 1) + "}";
    }
}
