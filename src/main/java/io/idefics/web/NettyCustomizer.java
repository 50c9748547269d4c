package io.idefics.web;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.socket.nio.NioChannelOption;
import io.netty.handler.timeout.WriteTimeoutHandler;
import java.util.concurrent.TimeUnit;
import jdk.net.ExtendedSocketOptions;
import org.springframework.boot.web.embedded.netty.NettyServerCustomizer;
import reactor.netty.NettyPipeline;
import reactor.netty.http.server.HttpServer;

/**
 * Sets what the server has no property for: the number of connections, deadlines of headers, of unread bodies and of
 * writes, probes of silent connections, and bodies of early refusals.
 */
public final class NettyCustomizer implements NettyServerCustomizer {

    /** A connection whose client vanished without a word is closed after the first probe and so many more. */
    private static final int PROBE_AFTER_SECONDS = 60;

    private static final int PROBE_INTERVAL_SECONDS = 15;
    private static final int PROBES = 4;

    private final WebProperties web;
    private final ConnectionProperties properties;
    private final Connections connections;
    private final BareErrorHandler bareErrors;

    public NettyCustomizer(WebProperties web, ConnectionProperties properties, Connections connections, WireJson json) {
        this.web = web;
        this.properties = properties;
        this.connections = connections;
        this.bareErrors = new BareErrorHandler(json);
    }

    @Override
    public HttpServer apply(HttpServer server) {
        return server.doOnChannelInit((observer, channel, address) -> initialize(channel))
                .childOption(ChannelOption.SO_KEEPALIVE, true)
                .childOption(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPIDLE), PROBE_AFTER_SECONDS)
                .childOption(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPINTERVAL), PROBE_INTERVAL_SECONDS)
                .childOption(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPCOUNT), PROBES);
    }

    private void initialize(Channel channel) {
        if (!connections.add(channel)) {
            ChannelFuture unused = channel.close();
            return;
        }
        ChannelPipeline pipeline = channel.pipeline();
        pipeline.addFirst(
                "idefics.writeTimeout",
                new WriteTimeoutHandler(web.writeTimeout().toMillis(), TimeUnit.MILLISECONDS));
        RequestWatch watch = new RequestWatch(connections, properties.headerTimeout());
        pipeline.addBefore(NettyPipeline.HttpCodec, "idefics.bytes", watch.bytes());
        pipeline.addAfter(NettyPipeline.HttpCodec, "idefics.watch", watch);
        pipeline.addAfter(NettyPipeline.HttpCodec, "idefics.bareErrors", bareErrors);
        pipeline.addAfter(
                NettyPipeline.HttpCodec, "idefics.unreadBody", new UnreadBodyHandler(connections, web.bodyTimeout()));
    }
}
