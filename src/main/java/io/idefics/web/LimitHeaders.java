package io.idefics.web;

import io.idefics.admission.Balance;
import io.idefics.admission.Balances;
import io.idefics.admission.Limit;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.web.server.ServerWebExchange;

/** Headers that tell a client what it has left of its limits, which OpenAI's and Anthropic's clients read. */
public final class LimitHeaders {

    private static final String ANTHROPIC = LimitHeaders.class.getName() + ".anthropic";

    private LimitHeaders() {}

    /** Marks a request whose client reads Anthropic's headers. */
    public static void alsoAnthropic(ServerWebExchange exchange) {
        exchange.getAttributes().put(ANTHROPIC, true);
    }

    /** Writes the headers of an answer. */
    static void write(Balances balances, ServerWebExchange exchange) {
        HttpHeaders headers = exchange.getResponse().getHeaders();
        boolean anthropic = exchange.getAttributes().containsKey(ANTHROPIC);
        write(Limit.REQUESTS, balances.requests(), anthropic, headers);
        write(Limit.TOKENS, balances.tokens(), anthropic, headers);
        write(Limit.PICTURES, balances.pictures(), anthropic, headers);
    }

    private static void write(Limit limit, @Nullable Balance balance, boolean anthropic, HttpHeaders headers) {
        if (balance == null) {
            return;
        }
        String most = Integer.toString(balance.limit());
        String remaining = Long.toString(Math.max(0, balance.remaining()));
        headers.set("x-ratelimit-limit-" + limit.label(), most);
        headers.set("x-ratelimit-remaining-" + limit.label(), remaining);
        headers.set("x-ratelimit-reset-" + limit.label(), Balance.text(balance.reset()));
        if (anthropic) {
            String prefix = "anthropic-ratelimit-" + limit.label();
            headers.set(prefix + "-limit", most);
            headers.set(prefix + "-remaining", remaining);
            headers.set(prefix + "-reset", time(balance).toString());
        }
    }

    /** When all of the limit is there again, in whole seconds (RFC 3339). */
    private static Instant time(Balance balance) {
        return Instant.now().plus(balance.reset()).plusMillis(999).truncatedTo(ChronoUnit.SECONDS);
    }
}
