package io.idefics.image;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.resolver.AddressResolverGroup;
import io.netty.resolver.NoopAddressResolverGroup;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.netty.NettyPipeline;
import reactor.netty.http.HttpResources;
import reactor.netty.http.client.HttpClient;
import reactor.netty.transport.ProxyProvider;

/**
 * An HTTP proxy that all pictures are fetched through (RFC 9110, section 3.7): http URLs are sent to it whole, for https
 * URLs it is asked for a tunnel. It looks the names of hosts up, and has to refuse addresses that are not public.
 */
final class FetchProxy {

    private final String host;
    private final int port;
    private final @Nullable String user;
    private final String password;
    private final AddressResolverGroup<InetSocketAddress> names;

    /**
     * @param proxy as in {@code http://user:password@proxy:3128}
     * @throws IllegalArgumentException if it is no such URL
     */
    FetchProxy(URI proxy, AddressResolverGroup<InetSocketAddress> names) {
        if (!"http".equals(proxy.getScheme())
                || proxy.getHost() == null
                || !proxy.getPath().replace("/", "").isEmpty()) {
            throw new IllegalArgumentException("idefics.image.proxy must be a URL such as http://proxy:3128");
        }
        this.host = proxy.getHost();
        this.port = proxy.getPort() < 0 ? 80 : proxy.getPort();
        String credentials = proxy.getUserInfo();
        int colon = credentials == null ? -1 : credentials.indexOf(':');
        this.user = credentials == null || colon < 0 ? credentials : credentials.substring(0, colon);
        this.password = credentials == null || colon < 0 ? "" : credentials.substring(colon + 1);
        this.names = names;
    }

    /** A client that sends its request for a URL to the proxy. */
    Mono<HttpClient> client(HttpClient client, ImageUrl url, Duration connectTimeout) {
        return address()
                .map(address -> url.secure()
                        ? client.resolver(NoopAddressResolverGroup.INSTANCE)
                                .proxy(spec -> tunnel(spec, address, connectTimeout))
                        : client.noSSL().remoteAddress(() -> address).doOnConnected(connection -> connection
                                .channel()
                                .pipeline()
                                .addAfter(NettyPipeline.HttpCodec, "whole-url", new WholeUrl(url.uri()))));
    }

    /** The address of the proxy, which is the operator's choice and therefore not judged. */
    private Mono<InetSocketAddress> address() {
        return Mono.create(
                sink -> names.getResolver(HttpResources.get().onClient(true).next())
                        .resolve(InetSocketAddress.createUnresolved(host, port))
                        .addListener(lookup -> {
                            if (lookup.isSuccess()) {
                                sink.success((InetSocketAddress) lookup.getNow());
                            } else {
                                sink.error(lookup.cause());
                            }
                        }));
    }

    private void tunnel(ProxyProvider.TypeSpec spec, InetSocketAddress address, Duration connectTimeout) {
        ProxyProvider.Builder proxy = spec.type(ProxyProvider.Proxy.HTTP)
                .socketAddress(address)
                .connectTimeoutMillis(connectTimeout.toMillis());
        if (user != null) {
            proxy.username(user).password(name -> password);
        }
    }

    /** Writes the whole URL into the request line, and who asks. */
    private final class WholeUrl extends ChannelOutboundHandlerAdapter {

        private final URI url;

        WholeUrl(URI url) {
            this.url = url;
        }

        @Override
        public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
            if (message instanceof HttpRequest request) {
                request.setUri(url.toString());
                request.headers().set(HttpHeaderNames.HOST, url.getRawAuthority());
                if (user != null) {
                    String credentials = Base64.getEncoder()
                            .encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8));
                    request.headers().set(HttpHeaderNames.PROXY_AUTHORIZATION, "Basic " + credentials);
                }
            }
            context.write(message, promise);
        }
    }
}
