package io.idefics.web;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import java.util.UUID;
import org.springframework.http.HttpStatusCode;

/**
 * Gives a body to the refusals that the HTTP layer writes before there is a request to handle: malformed requests,
 * and URLs and headers that are too long.
 */
@ChannelHandler.Sharable
final class BareErrorHandler extends ChannelOutboundHandlerAdapter {

    private final WireJson json;

    BareErrorHandler(WireJson json) {
        this.json = json;
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) throws Exception {
        Object written =
                message instanceof FullHttpResponse response && isBareError(response) ? withBody(response) : message;
        super.write(context, written, promise);
    }

    private static boolean isBareError(FullHttpResponse response) {
        // A refused HEAD request has no content either, but the length of the one it would have.
        String length = response.headers().get(HttpHeaderNames.CONTENT_LENGTH, "0");
        return response.status().code() >= 400 && !response.content().isReadable() && length.equals("0");
    }

    private FullHttpResponse withBody(FullHttpResponse bare) {
        ApiError.Detail detail =
                ErrorTable.bare(HttpStatusCode.valueOf(bare.status().code()));
        byte[] body = json.write(new ApiError.Envelope(detail));
        HttpHeaders headers = bare.headers().copy();
        headers.set(HttpHeaderNames.CONTENT_TYPE, "application/json");
        headers.set(HttpHeaderNames.CONTENT_LENGTH, body.length);
        headers.set(HttpHeaderNames.CACHE_CONTROL, "no-store");
        SecurityHeaders.fixed().forEach(headers::set);
        headers.set(SecurityHeaders.CONTENT_POLICY, SecurityHeaders.contentPolicy(null));
        if (!headers.contains("x-request-id")) {
            headers.set("x-request-id", "req_" + UUID.randomUUID().toString().replace("-", ""));
        }
        FullHttpResponse response = new DefaultFullHttpResponse(
                bare.protocolVersion(),
                bare.status(),
                Unpooled.wrappedBuffer(body),
                headers,
                bare.trailingHeaders().copy());
        bare.release();
        return response;
    }
}
