package io.idefics.image;

import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * Which network addresses pictures may be fetched from: public ones, those that the operator excepts, and private ones
 * of hosts that the operator trusts.
 *
 * <p>Public means reachable from anywhere by the IANA special-purpose address registries (RFC 6890). IPv4 addresses in
 * IPv6 clothes are judged as IPv4 addresses if they are mapped (::ffff:0:0/96) and refused otherwise.
 */
final class AddressPolicy {

    private static final List<Block> SPECIAL_V4 = blocks(
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32", // looks public, but is the host of a virtual machine on Azure
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4");
    private static final Block UNICAST_V6 = Block.parse("2000::/3");
    private static final List<Block> SPECIAL_V6 = blocks("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20");

    /** Networks of one's own, which hosts that are trusted may be in. */
    private static final List<Block> PRIVATE = blocks(
            "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7");

    /** Where clouds give keys to the machines in them. */
    private static final List<Block> METADATA = blocks(
            "100.100.100.200/32",
            "168.63.129.16/32",
            "169.254.0.23/32",
            "169.254.169.254/32",
            "169.254.170.2/32",
            "169.254.170.23/32",
            "192.0.0.192/32",
            "fd00:42::42/128",
            "fd00:ec2::/32",
            "fd20:ce::254/128");

    private final List<Block> exceptions;
    private final List<Block> denied;

    /**
     * @param exceptions CIDR blocks that are allowed although they are not public
     * @param denied CIDR blocks that are never allowed
     * @throws IllegalArgumentException if one of them is malformed
     */
    AddressPolicy(List<String> exceptions, List<String> denied) {
        this.exceptions = exceptions.stream().map(Block::parse).toList();
        this.denied = denied.stream().map(Block::parse).toList();
    }

    /**
     * Whether an address may be dialled.
     *
     * @param trusted whether it belongs to a host that may be in a private network
     */
    boolean allows(InetAddress address, boolean trusted) {
        byte[] bytes = unwrap(address.getAddress());
        if (contain(denied, bytes)) {
            return false;
        }
        for (Block metadata : METADATA) {
            if (metadata.contains(bytes)) { // a wide exception does not mean these
                return exceptions.stream().anyMatch(block -> block.contains(bytes) && block.isWithin(metadata));
            }
        }
        return contain(exceptions, bytes)
                || (trusted && contain(PRIVATE, bytes))
                || (isPublic(bytes) && (trusted || !isOwn(address)));
    }

    private static boolean contain(List<Block> blocks, byte[] address) {
        return blocks.stream().anyMatch(block -> block.contains(address));
    }

    private static boolean isPublic(byte[] address) {
        if (address.length == 4) {
            return !contain(SPECIAL_V4, address);
        }
        return UNICAST_V6.contains(address) && !contain(SPECIAL_V6, address);
    }

    /** Whether this machine has the address itself. */
    private static boolean isOwn(InetAddress address) {
        try {
            return NetworkInterface.getByInetAddress(address) != null;
        } catch (SocketException e) {
            return true; // unknown: refuse
        }
    }

    /** An IPv4-mapped IPv6 address as IPv4. */
    private static byte[] unwrap(byte[] address) {
        boolean mapped = address.length == 16 && address[10] == -1 && address[11] == -1;
        for (int i = 0; i < 10 && mapped; i++) {
            mapped = address[i] == 0;
        }
        return mapped ? Arrays.copyOfRange(address, 12, 16) : address;
    }

    private static List<Block> blocks(String... cidrs) {
        return Stream.of(cidrs).map(Block::parse).toList();
    }

    /**
     * A CIDR block (RFC 4632).
     *
     * @param network 4 or 16 bytes
     * @param prefix bits of the network that count
     */
    private record Block(byte[] network, int prefix) {

        static Block parse(String cidr) {
            int slash = cidr.indexOf('/');
            String network = slash < 0 ? cidr : cidr.substring(0, slash);
            try {
                // Anything but an address in numbers could be looked up as a name.
                if (!network.matches("[0-9.]+|[0-9a-fA-F.]*:[0-9a-fA-F.:]*")) {
                    throw new IllegalArgumentException("no address");
                }
                byte[] bytes = InetAddress.getByName(network).getAddress();
                int prefix = slash < 0 ? 8 * bytes.length : Integer.parseInt(cidr.substring(slash + 1));
                if (prefix < 0 || prefix > 8 * bytes.length) {
                    throw new IllegalArgumentException("no prefix");
                }
                return new Block(bytes, prefix);
            } catch (UnknownHostException | IllegalArgumentException e) {
                throw new IllegalArgumentException(
                        "\"" + cidr + "\" is not a CIDR block such as 10.1.2.0/24 or 2001:db8::/32", e);
            }
        }

        boolean isWithin(Block other) {
            return prefix >= other.prefix && other.contains(network);
        }

        boolean contains(byte[] address) {
            if (address.length != network.length) {
                return false;
            }
            for (int bit = 0; bit < prefix; bit++) {
                int mask = 0x80 >> (bit & 7);
                if (((address[bit >> 3] ^ network[bit >> 3]) & mask) != 0) {
                    return false;
                }
            }
            return true;
        }
    }
}
