package io.idefics.web;

import io.idefics.generation.GenerationEvent;
import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.idefics.generation.GenerationRequest;
import io.idefics.testing.Transcript;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.publisher.Flux;

/** The HTTP interface answers as it always did. */
class ContractTranscriptsIT extends WebServerTest {

    static Stream<Transcript> transcripts() {
        return Transcript.in("scripted");
    }

    @ParameterizedTest
    @MethodSource("transcripts")
    void request_sent_isAnsweredAsWritten(Transcript transcript) {
        service.script(script(transcript.request().path("script").asText("echo")));

        transcript.check(port);
    }

    private static Function<GenerationRequest, Flux<GenerationEvent>> script(String name) {
        return switch (name) {
            case "echo" -> ScriptedCompletionService::echo;
            case "choices" -> request -> ScriptedCompletionService.twoChoices();
            case "halfway" ->
                request -> Flux.concat(Flux.just(new GenerationEvent.TextDelta(0, "half")), failure("OVERLOADED"));
            default -> request -> failure(name);
        };
    }

    private static Flux<GenerationEvent> failure(String type) {
        return Flux.error(new GenerationException(ErrorType.valueOf(type), "The reason stands here.", null));
    }
}
