package io.idefics.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.bench.SseParser.Event;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class SseParserTest {

    @Test
    void line_dataThenBlank_isAnEvent() {
        assertThat(events("data: a", "", "data:b", "")).containsExactly(message("a"), message("b"));
    }

    @Test
    void line_severalDataLines_areJoined() {
        assertThat(events("data: a", "data", "data:  b", "")).containsExactly(message("a\n\n b"));
    }

    @Test
    void line_commentsAndOtherFields_areDropped() {
        assertThat(events(": keep-alive", "", "id: 1", "retry: 5", ":data: x", "data: a", ""))
                .containsExactly(message("a"));
    }

    @Test
    void line_eventName_isOfThatEventOnly() {
        assertThat(events("event: error", "data: a", "", "data: b", "", "event: ping", "", "data: c", ""))
                .containsExactly(new Event("error", "a"), message("b"), message("c"));
    }

    @Test
    void line_dataHasColons_areKept() {
        assertThat(events("data: {\"a\":\"b: c\"}", "")).containsExactly(message("{\"a\":\"b: c\"}"));
    }

    @Test
    void line_byteOrderMark_isDroppedAtTheBeginningOnly() {
        assertThat(events("\uFEFFdata: a", "", "\uFEFFdata: b", "")).containsExactly(message("a"));
    }

    @Test
    void line_noBlankLine_isNoEvent() {
        assertThat(events("data: a")).isEmpty();
    }

    @Test
    void line_emptyData_isAnEvent() {
        assertThat(events("data:", "", "")).containsExactly(message(""));
    }

    private static Event message(String data) {
        return new Event("message", data);
    }

    private static List<Event> events(String... lines) {
        SseParser parser = new SseParser();
        return Stream.of(lines).map(parser::line).filter(Objects::nonNull).toList();
    }
}
