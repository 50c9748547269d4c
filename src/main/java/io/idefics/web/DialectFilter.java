package io.idefics.web;

import java.util.List;
import java.util.function.Consumer;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebFilter;
import org.springframework.web.server.WebFilterChain;
import org.springframework.web.util.pattern.PathPattern;
import org.springframework.web.util.pattern.PathPatternParser;
import reactor.core.publisher.Mono;

/** Marks requests for the dialect in which whatever fails is told, before anything can fail. */
@Order(Ordered.HIGHEST_PRECEDENCE)
public final class DialectFilter implements WebFilter {

    private final List<Rule> rules;

    /**
     * Where a dialect is spoken.
     *
     * @param paths the paths of the endpoints
     * @param mark what is done with their requests
     */
    public record Rule(List<PathPattern> paths, Consumer<ServerWebExchange> mark) {

        public static Rule of(List<String> paths, Consumer<ServerWebExchange> mark) {
            return new Rule(
                    paths.stream().map(PathPatternParser.defaultInstance::parse).toList(), mark);
        }
    }

    public DialectFilter(Rule... rules) {
        this.rules = List.of(rules);
    }

    @Override
    public Mono<Void> filter(ServerWebExchange exchange, WebFilterChain chain) {
        for (Rule rule : rules) {
            if (rule.paths().stream()
                    .anyMatch(
                            path -> path.matches(exchange.getRequest().getPath().pathWithinApplication()))) {
                rule.mark().accept(exchange);
            }
        }
        return chain.filter(exchange);
    }
}
