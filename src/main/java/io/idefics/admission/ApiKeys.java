package io.idefics.admission;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiPredicate;
import org.jspecify.annotations.Nullable;

/**
 * The keys that are known now; they can be exchanged while requests are checked.
 *
 * <p>How long a check takes tells nothing of the keys: what was presented is hashed once, so that its first characters
 * do not decide how far a comparison gets, and the hash is compared in constant time with those of all keys, also after one
 * was found.
 */
public final class ApiKeys {

    private final BiPredicate<byte[], byte[]> equality;
    private volatile List<ApiKey> keys;
    private volatile @Nullable String problem;

    /**
     * Makes keys.
     *
     * @throws InvalidAccessException where two have the same name or hash
     */
    public ApiKeys(List<ApiKey> keys) {
        this(keys, MessageDigest::isEqual);
    }

    ApiKeys(List<ApiKey> keys, BiPredicate<byte[], byte[]> equality) {
        this.equality = equality;
        this.keys = checked(keys);
    }

    /**
     * The caller that holds a key; empty where nobody does.
     *
     * @param presented what the client sent
     */
    public Optional<Caller> find(String presented) {
        List<ApiKey> all = keys;
        byte[] hash = ApiKey.digest(presented);
        int found = -1;
        for (int i = 0; i < all.size(); i++) {
            int mask = equality.test(all.get(i).hash(), hash) ? -1 : 0;
            found = mask & i | ~mask & found;
        }
        return found < 0 || !ApiKey.isKey(presented) ? Optional.empty() : Optional.of(Caller.of(all.get(found)));
    }

    /**
     * Exchanges all keys at once.
     *
     * @throws InvalidAccessException where two have the same name or hash; the keys stay as they are
     */
    public void replace(List<ApiKey> others) {
        keys = checked(others);
        problem = null;
    }

    /** Tells why newer keys could not be taken over. */
    public void keep(String reason) {
        problem = reason;
    }

    /** How many keys there are. */
    public int size() {
        return keys.size();
    }

    /** Why the keys are older than they should be; null where they are not. */
    public @Nullable String problem() {
        return problem;
    }

    private static List<ApiKey> checked(List<ApiKey> keys) {
        Set<String> names = new HashSet<>();
        Set<String> hashes = new HashSet<>();
        for (ApiKey key : keys) {
            if (!names.add(key.name())) {
                throw new InvalidAccessException("Two API keys have the name '" + key.name() + "'.");
            }
            if (!hashes.add(new String(key.hash(), StandardCharsets.ISO_8859_1))) {
                throw new InvalidAccessException("The API key '" + key.name() + "' has the hash of another one.");
            }
        }
        return List.copyOf(keys);
    }
}
