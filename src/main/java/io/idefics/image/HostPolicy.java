package io.idefics.image;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import java.net.InetAddress;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Which hosts and ports pictures may be fetched from, as far as a URL tells; the addresses of names are judged when they
 * are known.
 */
final class HostPolicy {

    /** Zones without public hosts: RFC 6761, RFC 6762, RFC 7686, RFC 8375, and the one that ICANN set aside. */
    private static final List<String> PRIVATE_ZONES =
            List.of("localhost", "localdomain", "local", "internal", "home.arpa", "onion");

    private final List<Host> allowed;
    private final List<Host> trusted;
    private final List<Host> denied;
    private final List<Integer> ports;
    private final AddressPolicy addresses;
    private final Set<String> plainNames;

    /** @throws IllegalArgumentException if a host or a block of addresses is malformed */
    HostPolicy(ImageProperties properties) {
        this.allowed = hosts("allowed-hosts", properties.allowedHosts(), false);
        this.trusted = hosts("trusted-hosts", properties.trustedHosts(), true);
        this.denied = hosts("denied-hosts", properties.deniedHosts(), false);
        this.ports = properties.allowedPorts();
        this.addresses = new AddressPolicy(properties.allowedAddresses(), properties.deniedAddresses());
        this.plainNames = Stream.concat(allowed.stream(), trusted.stream())
                .filter(host -> !host.below())
                .map(Host::name)
                .collect(Collectors.toUnmodifiableSet());
    }

    /** Names that are hosts although they have one label only. */
    Set<String> plainNames() {
        return plainNames;
    }

    /**
     * Judges what a URL says.
     *
     * @throws GenerationException with INVALID_IMAGE_URL if pictures may not be fetched from there
     */
    void check(ImageUrl url, String param) {
        boolean isTrusted = trusts(url);
        boolean isListed = isTrusted || allowed.stream().anyMatch(host -> host.matches(url));
        if (denied.stream().anyMatch(host -> host.matches(url))
                || (!isListed && (!allowed.isEmpty() || isPrivate(url.host())))) {
            throw invalid("the host of the image URL is not allowed", param);
        }
        if (!ports.contains(url.port())
                && trusted.stream().noneMatch(host -> host.port() == url.port() && host.matches(url))) {
            throw invalid("the port of the image URL is " + url.port() + "; allowed are " + ports, param);
        }
        if (url.address()
                .filter(address -> !addresses.allows(address, isTrusted))
                .isPresent()) {
            throw invalid("the address of the image URL is not allowed", param);
        }
    }

    /** Whether an address that was found for the host of a URL may be dialled. */
    boolean allows(ImageUrl url, InetAddress address) {
        return addresses.allows(address, trusts(url));
    }

    private boolean trusts(ImageUrl url) {
        return trusted.stream().anyMatch(host -> host.matches(url));
    }

    private static boolean isPrivate(String name) {
        return PRIVATE_ZONES.stream().anyMatch(zone -> name.equals(zone) || name.endsWith("." + zone));
    }

    private static List<Host> hosts(String key, List<String> texts, boolean withPorts) {
        return texts.stream().map(text -> Host.parse(key, text, withPorts)).toList();
    }

    private static GenerationException invalid(String message, String param) {
        return new GenerationException(ErrorType.INVALID_IMAGE_URL, message, param);
    }

    /**
     * Hosts of a list.
     *
     * @param name in lower case
     * @param below whether all names below this one are meant, and not itself
     * @param port the only one that is meant, or 0 for any
     */
    private record Host(String name, boolean below, int port) {

        private static final Pattern FORM = Pattern.compile(
                "(?<below>\\*\\.)?(?<name>[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\\[[0-9a-f:]+])(:(?<port>[0-9]{1,5}))?");

        static Host parse(String key, String text, boolean withPort) {
            Matcher form = FORM.matcher(text.toLowerCase(Locale.ROOT));
            if (!form.matches() || (form.group("port") != null && !withPort)) {
                throw new IllegalArgumentException("idefics.image." + key + " has \"" + text
                        + "\"; a host is needed, such as images.example.com"
                        + (withPort ? ", *.example.com or minio:9000" : " or *.example.com"));
            }
            String port = form.group("port");
            return new Host(form.group("name"), form.group("below") != null, port == null ? 0 : Integer.parseInt(port));
        }

        boolean matches(ImageUrl url) {
            return (port == 0 || port == url.port())
                    && (below ? url.host().endsWith("." + name) : url.host().equals(name));
        }
    }
}
