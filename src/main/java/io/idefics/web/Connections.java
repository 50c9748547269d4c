package io.idefics.web;

import io.idefics.admission.Caller;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLongArray;
import org.jspecify.annotations.Nullable;

/**
 * The open connections, of which there are only so many: for a further one, the one closes that has been without a
 * request for longest, so that idle and slow clients keep nobody out.
 */
public final class Connections implements MeterBinder {

    /** Why the service closed a connection. */
    enum Drop {
        /** There are too many, all of which have a request. */
        TOO_MANY,
        /** There are too many of its address. */
        ADDRESS,
        /** It had no request when another came. */
        DISPLACED,
        /** Its headers came too slowly. */
        SLOW_HEADERS,
        /** Its body came in pieces so small that they cost far more than they bring. */
        TINY_PIECES,
        /** The rest of a body that was not needed any more came too slowly. */
        UNREAD_BODY
    }

    private final int max;
    private final int maxPerAddress;
    private final AtomicLongArray drops = new AtomicLongArray(Drop.values().length); // by ordinal
    private final Set<Channel> vacant = new LinkedHashSet<>(); // longest first; guarded by this
    private final Map<InetAddress, Integer> addresses = new HashMap<>(); // guarded by this
    private int open; // guarded by this

    /**
     * @param max the most connections
     * @param maxPerAddress the most of one address, or 0 for any number
     */
    public Connections(int max, int maxPerAddress) {
        this.max = max;
        this.maxPerAddress = maxPerAddress;
    }

    /** The number of open connections. */
    public synchronized int open() {
        return open;
    }

    /** The number of open connections without a request. */
    synchronized int vacant() {
        return vacant.size();
    }

    /** How many connections were closed for that reason. */
    long dropped(Drop reason) {
        return drops.get(reason.ordinal());
    }

    /** Counts a new connection until it closes, or tells that it has to be closed at once. */
    boolean add(Channel channel) {
        @Nullable InetAddress address = maxPerAddress == 0 ? null : network(channel.remoteAddress());
        Channel displaced = null;
        synchronized (this) {
            if (address != null && addresses.getOrDefault(address, 0) >= maxPerAddress) {
                count(Drop.ADDRESS);
                return false;
            }
            if (open >= max) {
                if (vacant.isEmpty()) {
                    count(Drop.TOO_MANY);
                    return false;
                }
                displaced = vacant.iterator().next();
                vacant.remove(displaced);
            }
            open++;
            vacant.add(channel);
            if (address != null) {
                addresses.merge(address, 1, Integer::sum);
            }
        }
        channel.closeFuture().addListener(closed -> remove(channel, address));
        if (displaced != null) {
            drop(displaced, Drop.DISPLACED);
        }
        return true;
    }

    /** Notes that a connection has a request now. */
    synchronized void occupy(Channel channel) {
        vacant.remove(channel);
    }

    /** Notes that a connection has been answered. */
    synchronized void vacate(Channel channel) {
        if (channel.isOpen()) {
            vacant.add(channel);
        }
    }

    /** Closes a connection for that reason. */
    void drop(Channel channel, Drop reason) {
        count(reason);
        ChannelFuture unused = channel.close();
    }

    void count(Drop reason) {
        drops.incrementAndGet(reason.ordinal());
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        Gauge.builder("idefics.connections", this, Connections::open)
                .description("Open connections")
                .baseUnit("connections")
                .register(registry);
        Gauge.builder("idefics.connections.vacant", this, Connections::vacant)
                .description("Open connections without a request")
                .baseUnit("connections")
                .register(registry);
        for (Drop drop : Drop.values()) {
            FunctionCounter.builder("idefics.connections.dropped", this, all -> all.dropped(drop))
                    .tag("reason", drop.name().toLowerCase(Locale.ROOT))
                    .description("Connections that the service closed, by the reason")
                    .baseUnit("connections")
                    .register(registry);
        }
    }

    private synchronized void remove(Channel channel, @Nullable InetAddress address) {
        open--;
        vacant.remove(channel);
        if (address != null) {
            addresses.computeIfPresent(address, (key, count) -> count == 1 ? null : count - 1);
        }
    }

    private static @Nullable InetAddress network(@Nullable SocketAddress address) {
        return address instanceof InetSocketAddress socket && socket.getAddress() != null
                ? Caller.subnet(socket.getAddress())
                : null;
    }
}
