package archfixture.model;

import reactor.core.publisher.Mono;

/** Breaks the rule that model does not use Reactor. */
class UsesReactor {

    Mono<String> later;
}
