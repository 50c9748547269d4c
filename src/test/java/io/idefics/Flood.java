package io.idefics;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.socket.nio.NioSocketChannel;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Connections of a hostile client. Each sends an opening, then a drop again and again, and when it is closed another one
 * takes its place a second later.
 */
final class Flood implements AutoCloseable {

    private static final int MILLIS_BETWEEN_OPENINGS = 1;

    private final EventLoopGroup loop;
    private final Bootstrap bootstrap;
    private final byte[] opening;
    private final byte[] drop;
    private final long dropMillis;
    private final AtomicInteger open = new AtomicInteger();
    private final AtomicLong closings = new AtomicLong();
    private volatile boolean ended;

    /**
     * @param loop runs it
     * @param sources the addresses that connections come from, in turn
     * @param target the service
     * @param count connections at one time
     * @param opening what each sends first
     * @param drop what it sends then
     * @param dropMillis how often; 0 for never
     */
    Flood(
            EventLoopGroup loop,
            List<InetSocketAddress> sources,
            InetSocketAddress target,
            int count,
            byte[] opening,
            byte[] drop,
            long dropMillis) {
        this.loop = loop;
        this.bootstrap = new Bootstrap()
                .group(loop)
                .channel(NioSocketChannel.class)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, 5000)
                .option(ChannelOption.SO_REUSEADDR, true)
                .remoteAddress(target);
        this.opening = opening;
        this.drop = drop;
        this.dropMillis = dropMillis;
        for (int i = 0; i < count; i++) {
            InetSocketAddress source = sources.get(i % sources.size());
            loop.schedule(() -> connect(source), (long) i * MILLIS_BETWEEN_OPENINGS, TimeUnit.MILLISECONDS);
        }
    }

    /** Connections that are open now. */
    int open() {
        return open.get();
    }

    /** How many connections have been closed, by whomever. */
    long closings() {
        return closings.get();
    }

    @Override
    public void close() {
        ended = true;
    }

    private void connect(InetSocketAddress source) {
        if (ended) {
            return;
        }
        // A port of 0 is chosen anew each time.
        bootstrap
                .clone()
                .localAddress(source)
                .handler(new Sender(source))
                .connect()
                .addListener(future -> {
                    if (!future.isSuccess()) {
                        again(source);
                    }
                });
    }

    private void again(InetSocketAddress source) {
        if (!ended) {
            loop.schedule(() -> connect(source), 1, TimeUnit.SECONDS);
        }
    }

    /** One connection. */
    private final class Sender extends SimpleChannelInboundHandler<ByteBuf> {

        private final InetSocketAddress source;

        private Sender(InetSocketAddress source) {
            this.source = source;
        }

        @Override
        public void channelActive(ChannelHandlerContext context) {
            open.incrementAndGet();
            context.writeAndFlush(Unpooled.wrappedBuffer(opening));
            if (dropMillis > 0) {
                context.executor()
                        .scheduleWithFixedDelay(() -> send(context), dropMillis, dropMillis, TimeUnit.MILLISECONDS);
            } else {
                context.executor().scheduleWithFixedDelay(() -> endWith(context), 500, 500, TimeUnit.MILLISECONDS);
            }
        }

        private void send(ChannelHandlerContext context) {
            endWith(context);
            if (context.channel().isActive() && context.channel().isWritable()) {
                context.writeAndFlush(Unpooled.wrappedBuffer(drop));
            }
        }

        private void endWith(ChannelHandlerContext context) {
            if (ended) {
                context.close();
            }
            if (!context.channel().isActive()) {
                throw new IllegalStateException("closed"); // ends the schedule
            }
        }

        @Override
        protected void channelRead0(ChannelHandlerContext context, ByteBuf received) {}

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            open.decrementAndGet();
            closings.incrementAndGet();
            again(source);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            context.close();
        }
    }
}
