package io.idefics.clients;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.openai.errors.SseException;
import io.idefics.generation.GenerationEvent.TextDelta;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.web.ScriptedCompletionService;
import io.idefics.web.WebServerTest;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;

/** No client has to take a stream that fails for an answer. */
class BrokenStreamIT extends WebServerTest {

    @BeforeEach
    void failAfterText() {
        service.script(request -> Flux.concat(
                Flux.just(new TextDelta(0, "half")),
                Flux.error(new GenerationException(ErrorType.OVERLOADED, "no room", null))));
    }

    @Test
    void stream_openAi_throws() {
        assertThat(failure(new OpenAiClientIT()))
                .isInstanceOf(SseException.class)
                .hasMessageContaining("no room");
    }

    @Test
    void stream_langChain4j_throws() {
        assertThat(failure(new LangChain4jIT())).hasMessageContaining("no room");
    }

    /** Spring AI 1.1 passes over the error as over an empty chunk, so that the missing finish reason alone tells of it. */
    @Test
    void stream_springAi_endsWithoutFinishReason() {
        assertThat(failure(new SpringAiIT())).hasMessage(SpringAiIT.NO_FINISH_REASON);
    }

    private Throwable failure(ClientContract library) {
        try (Client client = library.connect("http://localhost:" + port, 0)) {
            return catchThrowable(() -> client.stream(Chat.of("Hello!").withModel(ScriptedCompletionService.MODEL)));
        }
    }
}
