package io.idefics.web;

import io.netty.channel.Channel;
import io.netty.handler.timeout.WriteTimeoutHandler;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.springframework.boot.web.embedded.netty.NettyServerCustomizer;
import reactor.netty.NettyPipeline;
import reactor.netty.http.server.HttpServer;

/** Sets what the server has no property for: deadlines of bodies and writes, and bodies of early refusals. */
public final class NettyCustomizer implements NettyServerCustomizer {

    /** How much later the connection is cut than a reader of the body gives up and answers. */
    private static final Duration GRACE = Duration.ofSeconds(5);

    private final WebProperties properties;
    private final BareErrorHandler bareErrors;

    public NettyCustomizer(WebProperties properties, WireJson json) {
        this.properties = properties;
        this.bareErrors = new BareErrorHandler(json);
    }

    @Override
    public HttpServer apply(HttpServer server) {
        return server.requestTimeout(properties.bodyTimeout().plus(GRACE))
                .doOnChannelInit((observer, channel, address) -> initialize(channel));
    }

    private void initialize(Channel channel) {
        channel.pipeline()
                .addFirst(new WriteTimeoutHandler(properties.writeTimeout().toMillis(), TimeUnit.MILLISECONDS));
        if (channel.pipeline().get(NettyPipeline.HttpCodec) != null) {
            channel.pipeline().addAfter(NettyPipeline.HttpCodec, "idefics.bareErrors", bareErrors);
        }
    }
}
