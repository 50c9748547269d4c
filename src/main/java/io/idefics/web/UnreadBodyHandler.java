package io.idefics.web;

import io.idefics.web.Connections.Drop;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.LastHttpContent;
import java.time.Duration;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Closes a connection whose request was answered before its body had arrived, unless the rest comes in time.
 *
 * <p>What still comes is read and thrown away: closing at once would reset the connection, and the client, still
 * sending, would never see why it was refused.
 */
final class UnreadBodyHandler extends ChannelDuplexHandler {

    private final Connections connections;
    private final Duration patience;
    private boolean complete = true;
    private @Nullable ScheduledFuture<?> closing;

    UnreadBodyHandler(Connections connections, Duration patience) {
        this.connections = connections;
        this.patience = patience;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) throws Exception {
        if (message instanceof HttpRequest) {
            complete = false;
        }
        if (message instanceof LastHttpContent) {
            complete = true;
            relax();
        }
        super.channelRead(context, message);
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) throws Exception {
        if (message instanceof LastHttpContent
                && !RequestWatch.isInformational(message)
                && !complete
                && closing == null) {
            closing = context.executor()
                    .schedule(
                            () -> connections.drop(context.channel(), Drop.UNREAD_BODY),
                            patience.toMillis(),
                            TimeUnit.MILLISECONDS);
        }
        super.write(context, message, promise);
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) throws Exception {
        relax();
        super.channelInactive(context);
    }

    private void relax() {
        if (closing != null) {
            closing.cancel(false);
            closing = null;
        }
    }
}
