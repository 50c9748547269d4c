package io.idefics.web;

import io.netty.channel.Channel;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.timeout.WriteTimeoutHandler;
import java.util.concurrent.TimeUnit;
import org.springframework.boot.web.embedded.netty.NettyServerCustomizer;
import reactor.netty.NettyPipeline;
import reactor.netty.http.server.HttpServer;

/** Sets what the server has no property for: deadlines of unread bodies and of writes, and bodies of early refusals. */
public final class NettyCustomizer implements NettyServerCustomizer {

    private final WebProperties properties;
    private final BareErrorHandler bareErrors;

    public NettyCustomizer(WebProperties properties, WireJson json) {
        this.properties = properties;
        this.bareErrors = new BareErrorHandler(json);
    }

    @Override
    public HttpServer apply(HttpServer server) {
        return server.doOnChannelInit((observer, channel, address) -> initialize(channel));
    }

    private void initialize(Channel channel) {
        ChannelPipeline pipeline = channel.pipeline();
        pipeline.addFirst(
                "idefics.writeTimeout",
                new WriteTimeoutHandler(properties.writeTimeout().toMillis(), TimeUnit.MILLISECONDS));
        pipeline.addAfter(NettyPipeline.HttpCodec, "idefics.bareErrors", bareErrors);
        pipeline.addAfter(
                NettyPipeline.HttpCodec, "idefics.unreadBody", new UnreadBodyHandler(properties.bodyTimeout()));
    }
}
