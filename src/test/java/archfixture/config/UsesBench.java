package archfixture.config;

import archfixture.bench.BreaksBench;

/** Breaks the rule that only the main class uses bench. */
class UsesBench {

    BreaksBench bench;
}
