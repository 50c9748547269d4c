package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpRequest;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class UnreadBodyHandlerTest {

    private final EmbeddedChannel channel =
            new EmbeddedChannel(new UnreadBodyHandler(new Connections(1, 0), Duration.ofSeconds(30)));

    UnreadBodyHandlerTest() {
        channel.freezeTime();
    }

    @AfterEach
    void close() {
        channel.finishAndReleaseAll();
    }

    @Test
    void write_answerBeforeTheBody_closesWhenPatienceEnds() {
        request();
        answer();

        advance(29);
        assertThat(channel.isOpen()).isTrue();
        advance(2);
        assertThat(channel.isOpen()).isFalse();
    }

    @Test
    void write_restComesInTime_keepsTheConnection() {
        request();
        answer();
        advance(10);
        channel.writeInbound(LastHttpContent.EMPTY_LAST_CONTENT);

        advance(60);
        assertThat(channel.isOpen()).isTrue();
    }

    @Test
    void write_answerAfterTheBody_keepsTheConnection() {
        request();
        channel.writeInbound(LastHttpContent.EMPTY_LAST_CONTENT);
        answer();

        advance(60);
        assertThat(channel.isOpen()).isTrue();
    }

    @Test
    void write_interimAnswer_leavesTheBodyItsTime() {
        request();
        channel.writeOutbound(new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.CONTINUE));

        advance(60);
        assertThat(channel.isOpen()).isTrue();
    }

    private void request() {
        channel.writeInbound(new DefaultHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.POST, "/"));
    }

    private void answer() {
        channel.writeOutbound(new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK));
    }

    private void advance(int seconds) {
        channel.advanceTimeBy(seconds, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
    }
}
