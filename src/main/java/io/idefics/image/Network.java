package io.idefics.image;

import io.netty.channel.socket.nio.NioDatagramChannel;
import io.netty.resolver.AbstractAddressResolver;
import io.netty.resolver.AddressResolver;
import io.netty.resolver.AddressResolverGroup;
import io.netty.resolver.dns.DnsAddressResolverGroup;
import io.netty.resolver.dns.DnsNameResolverBuilder;
import io.netty.resolver.dns.DnsServerAddressStreamProvider;
import io.netty.resolver.dns.DnsServerAddressStreamProviders;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import io.netty.util.concurrent.ScheduledFuture;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;

/**
 * How hosts are found and trusted; tests have another one.
 *
 * @param names looks names up
 * @param lookupTimeout time for one lookup
 * @param route from the addresses that were found and allowed to those that are dialled
 * @param authorities whom certificates are believed from; the Java runtime decides if it is null
 */
record Network(
        AddressResolverGroup<InetSocketAddress> names,
        Duration lookupTimeout,
        UnaryOperator<List<SocketAddress>> route,
        @Nullable TrustManagerFactory authorities) {

    static final Duration LOOKUP_TIMEOUT = Duration.ofSeconds(5);
    private static final Duration QUERY_TIMEOUT = Duration.ofSeconds(2);

    /** The network as the system sees it. */
    static Network ofSystem() {
        return of(DnsServerAddressStreamProviders.platformDefault());
    }

    /** The network as these servers see it. Their answers are hardly kept here, as clients choose what is asked for. */
    static Network of(DnsServerAddressStreamProvider servers) {
        DnsNameResolverBuilder lookups = new DnsNameResolverBuilder()
                .channelType(NioDatagramChannel.class)
                .nameServerProvider(servers)
                .queryTimeoutMillis(QUERY_TIMEOUT.toMillis())
                .ttl(0, 1)
                .negativeTtl(0);
        return new Network(new DnsAddressResolverGroup(lookups), LOOKUP_TIMEOUT, UnaryOperator.identity(), null);
    }

    /** The same lookups, which fail when they take too long. */
    AddressResolverGroup<InetSocketAddress> boundedNames() {
        return new AddressResolverGroup<>() {
            @Override
            protected AddressResolver<InetSocketAddress> newResolver(EventExecutor executor) {
                return new BoundedResolver(executor, names.getResolver(executor), lookupTimeout);
            }
        };
    }

    private static final class BoundedResolver extends AbstractAddressResolver<InetSocketAddress> {

        private final AddressResolver<InetSocketAddress> lookups;
        private final Duration timeout;

        BoundedResolver(EventExecutor executor, AddressResolver<InetSocketAddress> lookups, Duration timeout) {
            super(executor, InetSocketAddress.class);
            this.lookups = lookups;
            this.timeout = timeout;
        }

        @Override
        protected boolean doIsResolved(InetSocketAddress address) {
            return !address.isUnresolved();
        }

        @Override
        protected void doResolve(InetSocketAddress unresolved, Promise<InetSocketAddress> promise) {
            bounded(lookups.resolve(unresolved), promise);
        }

        @Override
        protected void doResolveAll(InetSocketAddress unresolved, Promise<List<InetSocketAddress>> promise) {
            bounded(lookups.resolveAll(unresolved), promise);
        }

        private <T> void bounded(Future<T> lookup, Promise<T> promise) {
            ScheduledFuture<?> limit = executor()
                    .schedule(
                            () -> promise.tryFailure(new UnknownHostException("no answer within " + timeout)),
                            timeout.toMillis(),
                            TimeUnit.MILLISECONDS);
            lookup.addListener(done -> {
                limit.cancel(false);
                if (lookup.isSuccess()) {
                    promise.trySuccess(lookup.getNow());
                } else {
                    promise.tryFailure(lookup.cause());
                }
            });
        }
    }
}
