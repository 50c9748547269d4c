package io.idefics.image;

import io.netty.resolver.AddressResolver;
import io.netty.resolver.AddressResolverGroup;
import io.netty.resolver.InetNameResolver;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Promise;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Function;
import java.util.stream.Stream;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;

/**
 * A network in which names stand for what a test says, and which notes what is dialled. What is not on the loopback is
 * never dialled: a test says where on the loopback it is instead, or it is not reachable.
 */
final class FakeNetwork extends AddressResolverGroup<InetSocketAddress> {

    private final Map<String, Queue<List<InetAddress>>> answers = new ConcurrentHashMap<>();
    private final Queue<String> lookups = new ConcurrentLinkedQueue<>();
    private final Queue<InetSocketAddress> dialled = new ConcurrentLinkedQueue<>();
    private final Function<InetSocketAddress, @Nullable InetSocketAddress> places;
    private @Nullable TrustManagerFactory authorities;
    private Duration lookupTimeout = Network.LOOKUP_TIMEOUT;

    /** A network where only the loopback is reachable. */
    FakeNetwork() {
        this(address -> null);
    }

    /** @param places where on the loopback an address is, if it is reachable */
    FakeNetwork(Function<InetSocketAddress, @Nullable InetSocketAddress> places) {
        this.places = places;
    }

    /** Certificates of these authorities are believed. */
    FakeNetwork trusting(TrustManagerFactory authorities) {
        this.authorities = authorities;
        return this;
    }

    FakeNetwork lookupTimeout(Duration timeout) {
        this.lookupTimeout = timeout;
        return this;
    }

    Network network() {
        return new Network(this, lookupTimeout, this::route, authorities);
    }

    /** Gives a name these addresses. */
    void put(String name, String... addresses) {
        answers.put(name, new ConcurrentLinkedQueue<>(List.of(addresses(addresses))));
    }

    /** Gives a name other addresses at its next lookup but one; the last ones stay. */
    void then(String name, String... addresses) {
        answers.computeIfAbsent(name, key -> new ConcurrentLinkedQueue<>()).add(addresses(addresses));
    }

    /** Lets lookups of a name hang. */
    void hang(String name) {
        answers.put(name, new ConcurrentLinkedQueue<>());
    }

    /** How many lookups there were. */
    int lookups() {
        return lookups.size();
    }

    /** What was dialled, or would have been if it were reachable. */
    List<InetSocketAddress> dialled() {
        return List.copyOf(dialled);
    }

    private static List<InetAddress> addresses(String... texts) {
        return Stream.of(texts).map(FakeNetwork::address).toList();
    }

    private static InetAddress address(String text) {
        try {
            return InetAddress.getByName(text);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException(text, e);
        }
    }

    private List<SocketAddress> route(List<SocketAddress> allowed) {
        List<SocketAddress> reachable = new ArrayList<>();
        for (SocketAddress address : allowed) {
            InetSocketAddress wanted = (InetSocketAddress) address;
            dialled.add(wanted);
            InetSocketAddress place = wanted.getAddress().isLoopbackAddress() ? wanted : places.apply(wanted);
            if (place != null) {
                reachable.add(place);
            }
        }
        return reachable;
    }

    @Override
    protected AddressResolver<InetSocketAddress> newResolver(EventExecutor executor) {
        return new InetNameResolver(executor) {
            @Override
            protected void doResolve(String name, Promise<InetAddress> promise) {
                doResolveAll(name, executor().<List<InetAddress>>newPromise().addListener(all -> {
                    if (all.isSuccess()) {
                        promise.setSuccess(((List<?>) all.getNow())
                                .stream()
                                        .map(InetAddress.class::cast)
                                        .findFirst()
                                        .orElseThrow());
                    } else {
                        promise.setFailure(all.cause());
                    }
                }));
            }

            @Override
            protected void doResolveAll(String name, Promise<List<InetAddress>> promise) {
                lookups.add(name);
                Queue<List<InetAddress>> found = answers.get(name);
                if (found == null) {
                    promise.setFailure(new UnknownHostException(name));
                    return;
                }
                List<InetAddress> answer = found.size() > 1 ? found.poll() : found.peek();
                if (answer != null) {
                    promise.setSuccess(answer);
                }
            }
        }.asAddressResolver();
    }
}
