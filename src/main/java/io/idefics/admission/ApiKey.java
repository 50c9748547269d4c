package io.idefics.admission;

import io.idefics.generation.Priority;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * A key by which a client is known, of which only a hash is kept.
 *
 * <p>The hash is a plain SHA-256, not one that is slow on purpose: keys are 256 random bits, not words that people choose,
 * so nobody can try them all however fast a try is (OWASP ASVS 5.0, 11.4.2 asks for slow hashes of passwords only). A slow
 * hash would let anyone keep the server busy with wrong keys.
 *
 * @param name tells the keys apart in logs and limits
 * @param hash the SHA-256 of the key's ASCII
 * @param scopes what its holder may do
 * @param priority how its holder is placed among those that wait
 * @param limits how much its holder may ask for
 */
public record ApiKey(String name, byte[] hash, Set<Scope> scopes, Priority priority, ClientLimits limits) {

    /** The bytes of a hash. */
    static final int HASH_BYTES = 32;

    private static final String ALGORITHM = "sha256:";
    private static final Pattern HASH = Pattern.compile(ALGORITHM + "[0-9a-fA-F]{" + 2 * HASH_BYTES + "}");
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");
    private static final Pattern KEY = Pattern.compile("[\\x21-\\x7e]+");

    /** Whether a text may be the name of a key: it is safe in logs, meters and YAML. */
    public static boolean isName(String text) {
        return NAME.matcher(text).matches();
    }

    /** Whether a text may be a key: printable ASCII without spaces, as it can stand in a header. */
    public static boolean isKey(String text) {
        return KEY.matcher(text).matches();
    }

    /** The hash of a key as it is configured: {@code sha256:} and 64 hexadecimal digits. */
    public static String hashOf(String key) {
        return ALGORITHM + HexFormat.of().formatHex(digest(key));
    }

    static boolean isHash(String text) {
        return HASH.matcher(text).matches();
    }

    static byte[] parseHash(String text) {
        return HexFormat.of().parseHex(text, ALGORITHM.length(), text.length());
    }

    /** The SHA-256 of a text of ASCII. */
    static byte[] digest(String key) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.US_ASCII));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every Java platform has it
        }
    }
}
