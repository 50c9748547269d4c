package io.idefics;

import io.idefics.testing.Transcript;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The built-in model answers as it always did. */
class BuiltInTranscriptsIT extends RunningServer {

    /** What other tests have asked the same server before. */
    private static final Map<Pattern, String> CACHED = Map.of(
            Pattern.compile("(?<=\"cached_tokens\":)[0-9]+"), "0",
            Pattern.compile("(?<=\"cache_read_input_tokens\":)[0-9]+"), "0",
            Pattern.compile("(?<=\"usage\":\\{\"input_tokens\":)[0-9]+(?=,\"cache_)"), "0");

    static Stream<Transcript> transcripts() {
        return Transcript.in("built-in");
    }

    @ParameterizedTest
    @MethodSource("transcripts")
    void request_sent_isAnsweredAsWritten(Transcript transcript) {
        transcript.check(port, CACHED);
    }
}
