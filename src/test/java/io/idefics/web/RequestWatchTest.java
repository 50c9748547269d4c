package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.web.Connections.Drop;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RequestWatchTest {

    private static final String GET = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    private final Connections connections = new Connections(8, 0);
    private final RequestWatch watch = new RequestWatch(connections, Duration.ofSeconds(10));
    private final EmbeddedChannel channel = new EmbeddedChannel(watch.bytes(), new HttpServerCodec(), watch);

    RequestWatchTest() {
        channel.freezeTime();
        connections.add(channel);
    }

    @AfterEach
    void close() {
        channel.finishAndReleaseAll();
    }

    @Test
    void read_headersDrip_areRefusedWhenTheirTimeIsOver() {
        receive("GET / HTTP/1.1\r\n");
        advance(9);
        receive("X: y\r\n");
        assertThat(channel.isOpen()).isTrue();
        advance(2);

        assertThat(sent())
                .startsWith("HTTP/1.1 408 ")
                .containsIgnoringCase("connection: close")
                .endsWith("\r\n\r\n");
        assertThat(channel.isOpen()).isFalse();
        assertThat(connections.dropped(Drop.SLOW_HEADERS)).isEqualTo(1);
    }

    @Test
    void read_headersInTime_haveNoDeadlineAnyMore() {
        receive("GET / HTTP/1.1\r\n");
        advance(9);
        receive("\r\n");
        advance(60);

        assertThat(channel.isOpen()).isTrue();
    }

    @Test
    void read_bodyAfterTheHeaders_hasNoDeadlineHere() {
        receive("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n1");
        advance(60);
        receive("2");
        advance(60);

        assertThat(channel.isOpen()).isTrue();
    }

    @Test
    void read_bodyInMyriadsOfTinyPieces_closesTheConnection() {
        receive("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
        receive("1\r\nx\r\n".repeat(9_999));
        assertThat(channel.isOpen()).isTrue();

        receive("1\r\nx\r\n");

        assertThat(channel.isOpen()).isFalse();
        assertThat(connections.dropped(Drop.TINY_PIECES)).isEqualTo(1);
    }

    @Test
    void read_bodyInManyPiecesOfSomeSize_isRead() {
        String chunk = "10\r\n" + "x".repeat(16) + "\r\n";
        receive("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
        receive(chunk.repeat(20_000));

        assertThat(channel.isOpen()).isTrue();
    }

    @Test
    void read_silence_isLeftToTheIdleTimeout() {
        advance(60);

        assertThat(channel.isOpen()).isTrue();
    }

    @Test
    void read_headersOfTheNextRequestDrip_areRefusedToo() {
        receive(GET);
        answer(HttpResponseStatus.OK);
        advance(60);
        receive("G");
        advance(11);

        assertThat(sent()).startsWith("HTTP/1.1 200 ").contains("HTTP/1.1 408 ");
        assertThat(channel.isOpen()).isFalse();
    }

    @Test
    void read_nextRequestDripsDuringTheAnswer_doesNotCutTheAnswer() {
        receive(GET);
        receive("G");
        advance(25);
        assertThat(channel.isOpen()).isTrue();

        answer(HttpResponseStatus.OK);
        advance(11);
        assertThat(channel.isOpen()).isFalse();
    }

    @Test
    void read_muchBehindTheServedRequest_isNotReadAnyFurther() {
        receive(GET);
        channel.config().setAutoRead(true);

        receive("POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + "x".repeat(40_000));
        assertThat(channel.config().isAutoRead()).isTrue();
        receive("x".repeat(40_000));
        assertThat(channel.config().isAutoRead()).isFalse();
    }

    @Test
    void vacancy_fromRequestToAnswer_isTaken() {
        assertThat(connections.vacant()).isEqualTo(1);
        receive(GET + GET);
        assertThat(connections.vacant()).isZero();
        answer(HttpResponseStatus.CONTINUE);
        answer(HttpResponseStatus.OK);
        assertThat(connections.vacant()).isZero();
        answer(HttpResponseStatus.OK);
        assertThat(connections.vacant()).isEqualTo(1);
    }

    @Test
    void close_whileHeadersDrip_leavesNothing() {
        receive("G");
        channel.close();

        assertThat(connections.open()).isZero();
        assertThat(connections.vacant()).isZero();
        advance(11);
        assertThat(connections.dropped(Drop.SLOW_HEADERS)).isZero();
    }

    private void receive(String text) {
        channel.writeInbound(Unpooled.copiedBuffer(text, StandardCharsets.US_ASCII));
    }

    private void answer(HttpResponseStatus status) {
        DefaultFullHttpResponse response = new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, status);
        if (status != HttpResponseStatus.CONTINUE) {
            response.headers().set("content-length", 0);
        }
        channel.writeOutbound(response);
    }

    private String sent() {
        StringBuilder text = new StringBuilder();
        for (ByteBuf part = channel.readOutbound(); part != null; part = channel.readOutbound()) {
            text.append(part.toString(StandardCharsets.US_ASCII));
            part.release();
        }
        return text.toString();
    }

    private void advance(int seconds) {
        channel.advanceTimeBy(seconds, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
    }
}
