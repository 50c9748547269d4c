package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.admission.Permit;
import io.idefics.generation.Priority;
import io.idefics.generation.Work;
import java.net.http.HttpResponse;
import java.util.concurrent.CompletableFuture;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** The whole service takes room for the work of a request before it does any of it, and gives it back. */
class AdmittedWorkIT extends RunningServer {

    /** The prompt, its picture and the answer are fewer tokens than these. */
    private static final int SMALL = 200;

    private static final String PICTURE = IMAGE_HOST.url("images/001.png");

    @Test
    void chat_noRoomForItsWork_isRefusedBeforeItsPictureIsFetched() {
        awaitIdle(PATIENCE);
        int connections = IMAGE_HOST.connections();
        String question = request(userMessage("What is it?", PICTURE))
                .put("max_tokens", 8)
                .toString();
        ObjectNode classification = request(userMessage("What is it?", PICTURE));
        classification.putArray("choices").add("a square").add("a circle");

        try (Permit other = limiter.acquire(Priority.NORMAL)) {
            assertThat(other.reserve(new Work(0, limiter.maxTokens() - 50, 0))).isCompleted();

            assertRefused(post(question));
            assertRefused(post("/v1/classify", classification.toString()));
            assertThat(IMAGE_HOST.connections()).isEqualTo(connections);
            assertThat(post(request(userMessage("Hello")).put("max_tokens", 2).toString())
                            .statusCode())
                    .as("a smaller request")
                    .isEqualTo(200);
        }

        assertThat(post(question).statusCode()).isEqualTo(200);
        assertThat(IMAGE_HOST.connections()).isGreaterThan(connections);
        awaitNothingTaken();
    }

    @Test
    void chat_whileItIsAnswered_holdsWhatItMayTake() {
        awaitIdle(PATIENCE);
        CompletableFuture<HttpResponse<String>> answer = postAsync(request(userMessage("Tell me a story."))
                .put("max_tokens", 500)
                .put("ignore_eos", true)
                .toString());

        Awaitility.await().atMost(PATIENCE).until(() -> limiter.tokens() > 500 && limiter.tokens() < 500 + SMALL);
        assertThat(answer.join().statusCode()).isEqualTo(200);
        awaitNothingTaken();
    }

    private void awaitNothingTaken() {
        Awaitility.await().atMost(PATIENCE).until(() -> limiter.tokens() == 0);
        awaitIdle(PATIENCE);
    }

    private static void assertRefused(HttpResponse<String> response) {
        assertThat(response.statusCode()).isEqualTo(503);
        assertThat(response.headers().firstValue("retry-after")).hasValue("1");
        assertThat(json(response).at("/error/code").asText()).isEqualTo("overloaded");
        assertThat(json(response).at("/error/message").asText()).contains("no room left for the");
    }
}
