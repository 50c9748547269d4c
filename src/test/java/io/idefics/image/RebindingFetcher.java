package io.idefics.image;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.resolver.AddressResolver;
import io.netty.resolver.AddressResolverGroup;
import io.netty.resolver.InetNameResolver;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Promise;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;

/** A fetcher for which every name has an address that is allowed and one that is not, in turn. */
public final class RebindingFetcher {

    private RebindingFetcher() {}

    /**
     * Makes one.
     *
     * @param allowed the address of every other lookup, beginning with the first
     * @param forbidden the address of the others
     */
    public static ImageFetcher create(ImageProperties properties, String allowed, String forbidden) {
        AtomicInteger lookups = new AtomicInteger();
        AddressResolverGroup<InetSocketAddress> names = new AddressResolverGroup<>() {
            @Override
            protected AddressResolver<InetSocketAddress> newResolver(EventExecutor executor) {
                return new InetNameResolver(executor) {
                    @Override
                    protected void doResolve(String name, Promise<InetAddress> promise) throws UnknownHostException {
                        promise.setSuccess(
                                InetAddress.getByName(lookups.getAndIncrement() % 2 == 0 ? allowed : forbidden));
                    }

                    @Override
                    protected void doResolveAll(String name, Promise<List<InetAddress>> promise)
                            throws UnknownHostException {
                        promise.setSuccess(List.of(
                                InetAddress.getByName(lookups.getAndIncrement() % 2 == 0 ? allowed : forbidden)));
                    }
                }.asAddressResolver();
            }
        };
        Network network = new Network(names, Network.LOOKUP_TIMEOUT, UnaryOperator.identity(), null);
        return new ImageFetcher(properties, "hostile", new SimpleMeterRegistry(), network);
    }
}
