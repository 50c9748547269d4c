package io.idefics.admission;

import io.idefics.generation.Priority;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Who sends a request.
 *
 * @param name {@code key:NAME} for the holder of a key, else {@code address:ADDRESS}; safe to log
 * @param scopes what it may do
 * @param priority how it is placed among those that wait
 * @param limits how much it may ask for
 * @param anonymous whether it has shown no key
 */
public record Caller(String name, Set<Scope> scopes, Priority priority, ClientLimits limits, boolean anonymous) {

    private static final int SUBNET_BYTES = 8;

    /** The holder of that key. */
    static Caller of(ApiKey key) {
        return new Caller("key:" + key.name(), key.scopes(), key.priority(), key.limits(), false);
    }

    /** Whoever sends from that address without a key. */
    public static Caller at(@Nullable InetAddress address, Set<Scope> scopes) {
        return new Caller("address:" + shown(address), scopes, Priority.NORMAL, ClientLimits.NONE_OF_ITS_OWN, true);
    }

    private static String shown(@Nullable InetAddress address) {
        if (address == null) {
            return "unknown";
        }
        return subnet(address).getHostAddress() + (address instanceof Inet6Address ? "/64" : "");
    }

    /** The addresses of one host by the first of them: a host of IPv6 has a whole /64 and may send from all of it. */
    public static InetAddress subnet(InetAddress address) {
        if (!(address instanceof Inet6Address)) {
            return address;
        }
        byte[] bytes = address.getAddress();
        Arrays.fill(bytes, SUBNET_BYTES, bytes.length, (byte) 0);
        try {
            return InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e); // the length is right
        }
    }
}
