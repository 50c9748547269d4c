package io.idefics.web;

import io.idefics.web.Connections.Drop;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpStatusClass;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import java.time.Duration;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Follows one connection from request to request: closes it with status 408 where headers do not arrive in time, says
 * when it is without a request, stops reading where a client sends much before it has been answered, and closes it where a
 * body comes in a great many tiny pieces.
 *
 * <p>It stands behind the HTTP codec; {@link #bytes()} stands before it and sees headers that are not complete.
 */
final class RequestWatch extends ChannelDuplexHandler {

    /** The most bytes of requests that wait behind the one that is served. */
    private static final int MAX_PIPELINED_BYTES = 64 * 1024;
    /** What an HTTP message takes besides its content, roughly. */
    private static final int MESSAGE_BYTES = 512;

    /** So many pieces of a body have to bring so many bytes on average. */
    private static final int MANY_PIECES = 10_000;

    private static final int MIN_PIECE_BYTES = 16;

    private final Connections connections;
    private final Duration headerTimeout;
    private final Bytes bytes = new Bytes();

    private @Nullable ChannelHandlerContext context;
    private boolean receiving;
    private int unanswered;
    private int pipelinedBytes;
    private int pieces;
    private long pieceBytes;
    private @Nullable ScheduledFuture<?> deadline;

    RequestWatch(Connections connections, Duration headerTimeout) {
        this.connections = connections;
        this.headerTimeout = headerTimeout;
    }

    /** The part that stands before the codec. */
    ChannelInboundHandlerAdapter bytes() {
        return bytes;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext added) {
        context = added;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) throws Exception {
        bytes.decoded = true;
        if (message instanceof HttpRequest) {
            cancelDeadline();
            receiving = true;
            pieces = 0;
            pieceBytes = 0;
            if (unanswered++ == 0) {
                connections.occupy(ctx.channel());
            }
        }
        if (message instanceof HttpContent content) {
            boundPieces(ctx.channel(), content);
        }
        if (unanswered > 1) {
            boundPipeline(ctx.channel(), message);
        }
        if (message instanceof LastHttpContent) {
            receiving = false;
        }
        super.channelRead(ctx, message);
    }

    /** Each piece, such as a chunk of one byte, costs as much as one of kilobytes. */
    private void boundPieces(Channel channel, HttpContent content) {
        pieceBytes += content.content().readableBytes();
        if (++pieces >= MANY_PIECES && pieceBytes < (long) MIN_PIECE_BYTES * pieces && channel.isOpen()) {
            connections.drop(channel, Drop.TINY_PIECES);
        }
    }

    /** Bytes that wait in the socket are the client's own; the next request reads on. */
    private void boundPipeline(Channel channel, Object message) {
        pipelinedBytes += MESSAGE_BYTES;
        if (message instanceof HttpContent content) {
            pipelinedBytes += content.content().readableBytes();
        }
        if (pipelinedBytes > MAX_PIPELINED_BYTES) {
            channel.config().setAutoRead(false);
        }
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) throws Exception {
        if (message instanceof LastHttpContent && !isInformational(message) && unanswered > 0) {
            pipelinedBytes = 0;
            if (--unanswered == 0) {
                connections.vacate(ctx.channel());
                readOn(ctx);
            }
        }
        super.write(ctx, message, promise);
    }

    /**
     * Reads the next request, which Reactor Netty 1.2.18 forgets where the answered one had waited behind another
     * (reactor-netty issue 4361); the connection would be dead. Only afterwards, when it has taken that from its queue.
     */
    private static void readOn(ChannelHandlerContext ctx) {
        ctx.executor().execute(ctx::read);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) throws Exception {
        cancelDeadline();
        super.channelInactive(ctx);
    }

    /** Whether a message is an interim response such as 100 Continue, after which the answer is still to come. */
    static boolean isInformational(Object message) {
        return message instanceof HttpResponse response
                && response.status().codeClass() == HttpStatusClass.INFORMATIONAL;
    }

    private void startDeadline(ChannelHandlerContext ctx) {
        deadline = ctx.executor().schedule(this::headersTooLate, headerTimeout.toMillis(), TimeUnit.MILLISECONDS);
    }

    private void cancelDeadline() {
        if (deadline != null) {
            deadline.cancel(false);
            deadline = null;
        }
    }

    private void headersTooLate() {
        deadline = null;
        if (context == null || !context.channel().isActive()) {
            return;
        }
        if (unanswered > 0) { // an answer is being written, which the next request must not cut off
            startDeadline(context);
            return;
        }
        connections.count(Drop.SLOW_HEADERS);
        DefaultFullHttpResponse response = new DefaultFullHttpResponse(
                HttpVersion.HTTP_1_1, HttpResponseStatus.REQUEST_TIMEOUT, Unpooled.EMPTY_BUFFER);
        response.headers()
                .set(HttpHeaderNames.CONTENT_LENGTH, 0)
                .set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
        context.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
    }

    /** Starts the deadline when bytes have come of which the codec makes nothing yet. */
    private final class Bytes extends ChannelInboundHandlerAdapter {

        private boolean decoded;

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object message) throws Exception {
            decoded = false;
            super.channelRead(ctx, message);
            if (!decoded && !receiving && deadline == null && ctx.channel().isActive()) {
                startDeadline(ctx);
            }
        }
    }
}
