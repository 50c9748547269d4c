package io.idefics.grammar;

import org.jspecify.annotations.Nullable;

/** How far a text in UTF-8 is within a character (RFC 3629, section 4). */
enum Utf8State {
    /** Between characters. */
    BOUNDARY,
    /** One byte is left. */
    ONE,
    TWO,
    THREE,
    /** Two are left, and the next must not make an overlong form. */
    TWO_HIGH,
    /** Two are left, and the next must not make a surrogate. */
    TWO_LOW,
    /** Three are left, and the next must not make an overlong form. */
    THREE_HIGH,
    /** Three are left, and the next must not go beyond Unicode. */
    THREE_LOW;

    /** The state after a byte; null where it is malformed. */
    @Nullable
    Utf8State next(int value) {
        if (this == BOUNDARY) {
            return first(value);
        }
        if (value < 0x80 || value > 0xBF) {
            return null;
        }
        return switch (this) {
            case ONE -> BOUNDARY;
            case TWO -> ONE;
            case THREE -> TWO;
            case TWO_HIGH -> value < 0xA0 ? null : ONE;
            case TWO_LOW -> value > 0x9F ? null : ONE;
            case THREE_HIGH -> value < 0x90 ? null : TWO;
            case THREE_LOW -> value > 0x8F ? null : TWO;
            case BOUNDARY -> null;
        };
    }

    private static @Nullable Utf8State first(int value) {
        if (value < 0x80) {
            return BOUNDARY;
        }
        return switch (value) {
            case 0xE0 -> TWO_HIGH;
            case 0xED -> TWO_LOW;
            case 0xF0 -> THREE_HIGH;
            case 0xF4 -> THREE_LOW;
            default -> value < 0xC2 || value > 0xF4 ? null : value < 0xE0 ? ONE : value < 0xF0 ? TWO : THREE;
        };
    }
}
