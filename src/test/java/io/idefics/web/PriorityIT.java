package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.idefics.admission.ApiKey;
import io.idefics.admission.ConcurrencyLimiter;
import io.idefics.admission.Permit;
import io.idefics.generation.Priority;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.http.MediaType;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;

/** What the priority of a key does where there is not room for all. */
class PriorityIT extends WebServerTest {

    private static final int MOST = 20;

    @Autowired
    ConcurrencyLimiter limiter;

    private final List<Permit> others = new ArrayList<>();

    @DynamicPropertySource
    static void addKeys(DynamicPropertyRegistry properties) {
        properties.add("idefics.admission.max-concurrent-requests", () -> MOST);
        for (Priority priority : Priority.values()) {
            String place = "idefics.access.keys[" + priority.ordinal() + "].";
            String name = priority.name().toLowerCase(Locale.ROOT);
            properties.add(place + "name", () -> name);
            properties.add(place + "hash", () -> ApiKey.hashOf(key(priority)));
            properties.add(place + "priority", () -> name);
        }
    }

    @BeforeEach
    @AfterEach
    void empty() {
        others.forEach(Permit::close);
        await().atMost(PATIENCE).until(() -> limiter.available() == MOST);
    }

    @ParameterizedTest
    @EnumSource
    void post_key_givesTheRequestItsPriority(Priority priority) {
        assertThat(status(priority)).isEqualTo(200);
        assertThat(service.lastRequest().client().priority()).isEqualTo(priority);
    }

    @Test
    void post_fullForLowerPriorities_isOpenForHigherOnes() {
        assertThat(status(Priority.HIGH))
                .as("from now on there is room for its like")
                .isEqualTo(200);

        enter(16); // 80 %
        assertThat(status(Priority.LOW)).isEqualTo(503);
        assertThat(status(Priority.NORMAL)).isEqualTo(200);
        enter(19); // 95 %
        assertThat(status(Priority.NORMAL)).isEqualTo(503);
        assertThat(status(Priority.HIGH)).isEqualTo(200);
        enter(20);
        assertThat(status(Priority.HIGH)).isEqualTo(503);
    }

    /** Others come until there are so many. */
    private void enter(int count) {
        await().atMost(PATIENCE).until(() -> limiter.requests() == others.size()); // ours are gone
        while (others.size() < count) {
            others.add(limiter.acquire(Priority.HIGH));
        }
    }

    private int status(Priority priority) {
        await().atMost(PATIENCE).until(() -> limiter.requests() == others.size());
        return client.post()
                .uri(CHAT)
                .headers(headers -> headers.setBearerAuth(key(priority)))
                .contentType(MediaType.APPLICATION_JSON)
                .bodyValue(HELLO)
                .exchange()
                .returnResult(Void.class)
                .getStatus()
                .value();
    }

    private static String key(Priority priority) {
        return "sk-test-" + priority.name().toLowerCase(Locale.ROOT) + "-0123456789abcdefghijklmnopq";
    }
}
