package io.idefics.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ChatStreamReaderTest {

    private final List<String> heard = new ArrayList<>();
    private final ChatStreamReader reader = new ChatStreamReader(new ObjectMapper(), new AnswerListener() {
        @Override
        public void text(String delta) {
            heard.add("text " + delta);
        }

        @Override
        public void usage(TokenUsage usage) {
            heard.add(usage.promptTokens() + "/" + usage.cachedTokens() + "/" + usage.outputTokens());
        }

        @Override
        public void completed() {
            heard.add("completed");
        }

        @Override
        public void failed(String status, String message) {
            heard.add(status + ": " + message);
        }
    });

    @Test
    void stream_wholeAnswer_isHeard() {
        events(
                "{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}",
                "{\"choices\":[{\"delta\":{\"content\":\"A \"}}]}",
                "{\"choices\":[{\"delta\":{\"content\":\"dog\"}}]}",
                "{\"choices\":[{\"delta\":{\"content\":null},\"finish_reason\":\"stop\"}]}",
                "{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,"
                        + "\"prompt_tokens_details\":{\"cached_tokens\":4}}}",
                "[DONE]");
        reader.onComplete();
        assertThat(heard).containsExactly("text A ", "text dog", "7/4/2", "completed");
    }

    @Test
    void stream_usageWithoutDetails_countsNothingAsCached() {
        events(
                "{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"prompt_tokens_details\":null}}");
        assertThat(heard).containsExactly("7/0/2");
    }

    @Test
    void stream_endsAfterFinishReason_isComplete() {
        events("{\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}");
        reader.onComplete();
        assertThat(heard).containsExactly("completed");
    }

    @Test
    void stream_endsBefore_isIncomplete() {
        events("{\"choices\":[{\"delta\":{\"content\":\"A\"}}]}");
        reader.onComplete();
        assertThat(heard).containsExactly("text A", "incomplete: the stream ended before the answer did");
    }

    @Test
    void stream_breaks_fails() {
        reader.onError(new IOException("reset"));
        assertThat(heard).containsExactly("connection: reset");
    }

    @Test
    void stream_breaksAfterDone_isComplete() {
        events("[DONE]");
        reader.onError(new IOException("reset"));
        assertThat(heard).containsExactly("completed");
    }

    @Test
    void stream_errorObject_fails() {
        events("{\"error\":{\"message\":\"too hot\"}}");
        assertThat(heard).containsExactly("stream error: too hot");
    }

    @Test
    void stream_errorEventOfOtherForm_fails() {
        reader.onNext("event: error");
        events("{\"detail\":\"too hot\"}");
        assertThat(heard).containsExactly("stream error: {\"detail\":\"too hot\"}");
    }

    @Test
    void stream_notJson_fails() {
        events("{");
        assertThat(heard).containsExactly("malformed: the stream has an event that is not JSON: {");
    }

    private void events(String... data) {
        for (String each : data) {
            reader.onNext("data: " + each);
            reader.onNext("");
        }
    }
}
