package archfixture.engine;

import archfixture.config.Wiring;

/** Breaks the rule that nothing uses config. */
class UsesWiring {

    Wiring wiring;
}
