package io.idefics.admission;

import java.util.Set;

/**
 * What holds for requests without a key.
 *
 * @param hasKeys whether keys are configured; where none is, what clients present is not looked at
 * @param anonymousScopes what may be done without a key; empty where keys are required
 * @param localNamesOnly whether requests have to be for localhost or an address. Otherwise a page in a browser on this machine
 *     could reach a server without keys, by a name of its own that it makes lead here (DNS rebinding)
 */
public record AccessPolicy(boolean hasKeys, Set<Scope> anonymousScopes, boolean localNamesOnly) {

    private static final String CURES = " Make a key with 'java -jar idefics-server.jar key --name NAME' and add it to"
            + " idefics.access.keys or idefics.access.key-file, or set idefics.access.require-keys=false to let everybody in.";

    /**
     * The policy of a server.
     *
     * @param listensOn where it can be reached, in words
     * @param loopbackOnly whether it can be reached from its own machine alone
     * @throws InvalidAccessException where keys are required and none is configured
     */
    public static AccessPolicy of(AccessProperties properties, String listensOn, boolean loopbackOnly) {
        boolean hasKeys = properties.hasKeys();
        Boolean asked = properties.requireKeys();
        boolean required = asked != null ? asked : hasKeys || !loopbackOnly;
        if (required && !hasKeys) {
            throw new InvalidAccessException((asked == null
                            ? "The server would listen on " + listensOn + " without any API key."
                            : "idefics.access.require-keys is true but there is no API key.")
                    + CURES);
        }
        if (properties.managementKeys() && !hasKeys) {
            throw new InvalidAccessException("idefics.access.management-keys is true but there is no API key." + CURES);
        }
        if (required) {
            return new AccessPolicy(true, Set.of(), false);
        }
        return new AccessPolicy(
                hasKeys,
                loopbackOnly && !hasKeys ? Set.of(Scope.INFERENCE, Scope.ADMIN) : Set.of(Scope.INFERENCE),
                asked == null);
    }

    /** Whether every request needs a key. */
    public boolean required() {
        return anonymousScopes.isEmpty();
    }
}
