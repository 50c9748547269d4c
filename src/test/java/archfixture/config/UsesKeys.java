package archfixture.config;

import archfixture.keys.BreaksKeys;

/** Breaks the rule that only the main class uses keys. */
class UsesKeys {

    BreaksKeys keys;
}
