package io.idefics.admission;

import io.idefics.generation.Priority;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import org.hibernate.validator.constraints.time.DurationMin;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * Who needs a key, and the keys.
 *
 * @param requireKeys whether every request needs a key; by default it does, unless the server listens on a loopback address
 *     alone and no key is configured. The server does not start where keys are required and none is configured
 * @param keys the keys
 * @param keyFile a YAML file with more keys under {@code keys}, which is read again when it changes; one that is wrong
 *     then is reported, and the keys stay as they were
 * @param reloadInterval how often that file is looked at; a change is taken over once two looks saw the same
 * @param publicDocs whether the description of the API and its pages can be read without a key
 * @param managementKeys whether a management port of its own needs a key with the scope admin, but for the probes
 */
@Validated
@ConfigurationProperties(prefix = "idefics.access", ignoreUnknownFields = false)
public record AccessProperties(
        @Nullable Boolean requireKeys,
        @Nullable List<KeyProperties> keys,
        @Nullable String keyFile,
        @DefaultValue("2s") @DurationMin(millis = 10) Duration reloadInterval,
        @DefaultValue("true") boolean publicDocs,
        @DefaultValue("false") boolean managementKeys) {

    private static final String KEYS = "idefics.access.keys";

    public AccessProperties {
        keys = keys == null ? null : List.copyOf(keys);
        if (keyFile != null && keyFile.isBlank()) {
            throw new InvalidAccessException("idefics.access.key-file is empty: name a file or remove the property.");
        }
    }

    /** Whether there is any key, or may be one in the file. */
    public boolean hasKeys() {
        return keys != null || keyFile != null;
    }

    /**
     * The keys that stand in the configuration itself.
     *
     * @throws InvalidAccessException where one of them is wrong
     */
    public List<ApiKey> inlineKeys() {
        return keys == null ? List.of() : read(keys, KEYS);
    }

    /**
     * Checks keys and reads their hashes.
     *
     * @param place what the list is called in messages
     * @throws InvalidAccessException where there is none or one is wrong
     */
    public static List<ApiKey> read(List<KeyProperties> keys, String place) {
        if (keys.isEmpty()) {
            throw new InvalidAccessException(place + " is empty: add a key or remove it.");
        }
        List<ApiKey> read = new ArrayList<>();
        for (int i = 0; i < keys.size(); i++) {
            read.add(keys.get(i).read(place + "[" + i + "]"));
        }
        return read;
    }

    /**
     * A key.
     *
     * @param name tells the keys apart in logs, meters and limits
     * @param hash {@code sha256:} and the 64 hexadecimal digits of the key's SHA-256, as the command {@code key} prints it
     * @param scopes what its holder may do: inference (ask models) and admin (see how the server is doing)
     * @param priority how its holder is placed among those that wait: low, normal or high
     * @param limits how much its holder may ask for
     */
    public record KeyProperties(
            @Nullable String name,
            @Nullable String hash,
            @DefaultValue("inference") List<String> scopes,
            @DefaultValue("normal") String priority,
            @DefaultValue ClientLimits limits) {

        ApiKey read(String place) {
            if (name == null || !ApiKey.isName(name)) {
                throw new InvalidAccessException(place + ".name is " + (name == null ? "missing" : "'" + name + "'")
                        + " but must have 1 to 64 letters, digits, dots, dashes or underscores.");
            }
            if (hash == null || !ApiKey.isHash(hash)) {
                // It may be a key by mistake and is not quoted.
                throw new InvalidAccessException(
                        place + ".hash (" + name + ") is " + (hash == null ? "missing" : "malformed")
                                + " but must be sha256: and 64 hexadecimal digits, as the command 'key' prints it.");
            }
            return new ApiKey(
                    name,
                    ApiKey.parseHash(hash),
                    scopes(place),
                    constant(Priority.class, priority, place + ".priority"),
                    checked(place + ".limits"));
        }

        private Set<Scope> scopes(String place) {
            if (scopes.isEmpty()) {
                throw new InvalidAccessException(place + ".scopes is empty but must name " + words(Scope.class) + ".");
            }
            Set<Scope> read = EnumSet.noneOf(Scope.class);
            scopes.forEach(scope -> read.add(constant(Scope.class, scope, place + ".scopes")));
            return Set.copyOf(read);
        }

        private ClientLimits checked(String place) {
            inRange(limits.requestsPerMinute(), place + ".requests-per-minute");
            inRange(limits.tokensPerMinute(), place + ".tokens-per-minute");
            inRange(limits.picturesPerMinute(), place + ".pictures-per-minute");
            inRange(limits.concurrentRequests(), place + ".concurrent-requests");
            return limits;
        }

        private static void inRange(@Nullable Integer limit, String place) {
            if (limit != null && (limit < 0 || limit > LimitsProperties.MOST)) {
                throw new InvalidAccessException(place + " is " + limit + " but must lie between 0, for no limit, and "
                        + LimitsProperties.MOST + ".");
            }
        }

        private static <E extends Enum<E>> E constant(Class<E> type, String word, String place) {
            return Arrays.stream(type.getEnumConstants())
                    .filter(constant -> constant.name().equalsIgnoreCase(word))
                    .findAny()
                    .orElseThrow(() -> new InvalidAccessException(
                            place + " has '" + word + "' but must be of " + words(type) + "."));
        }

        private static <E extends Enum<E>> String words(Class<E> type) {
            return Arrays.stream(type.getEnumConstants())
                    .map(constant -> constant.name().toLowerCase(Locale.ROOT))
                    .collect(Collectors.joining(", "));
        }
    }
}
