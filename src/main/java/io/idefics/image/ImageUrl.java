package io.idefics.image;

import io.idefics.generation.GenerationException;
import io.idefics.generation.GenerationException.ErrorType;
import io.netty.util.NetUtil;
import java.net.InetAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * An http or https URL that every parser reads alike (RFC 3986, and stricter): it is parsed once, and these parts are
 * what is dialled.
 *
 * <p>Refused are non-ASCII characters, spaces, backslashes, user information, escapes in the host, and hosts that are
 * neither a canonical address nor a plain name.
 *
 * @param uri scheme, host, port if not the default, path and query; no fragment
 * @param host a name in lower case without a final dot, a dotted quad, or an IPv6 address in brackets
 * @param port the port to connect to
 */
record ImageUrl(URI uri, String host, int port) {

    private static final int MAX_LENGTH = 8192;
    private static final int MAX_NAME_LENGTH = 253;
    private static final String FORBIDDEN = "\"<>\\^`{|}";

    private static final Pattern SCHEME = Pattern.compile("[a-zA-Z][a-zA-Z0-9+.-]*:.*", Pattern.DOTALL);
    private static final Pattern BAD_ESCAPE = Pattern.compile("%(?![0-9a-fA-F]{2})");
    private static final Pattern PORT = Pattern.compile("[0-9]{1,5}");
    private static final Pattern LABEL = Pattern.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?");
    private static final Pattern OCTET = Pattern.compile("0|[1-9][0-9]{0,2}");
    private static final Pattern V6 = Pattern.compile("\\[[0-9a-f:]+]"); // no dotted quads inside: parsers differ

    /**
     * Parses the URL of a picture.
     *
     * @param plainNames names of one label that are hosts all the same
     * @param param the path of the URL in the request
     * @throws GenerationException with INVALID_IMAGE_URL if it is malformed or of another scheme
     */
    static ImageUrl parse(String text, Set<String> plainNames, String param) {
        if (text.length() > MAX_LENGTH) {
            throw invalid("has " + text.length() + " characters; the limit is " + MAX_LENGTH, param);
        }
        boolean secure = text.regionMatches(true, 0, "https://", 0, 8);
        if (!secure && !text.regionMatches(true, 0, "http://", 0, 7)) {
            throw new GenerationException(
                    ErrorType.INVALID_IMAGE_URL,
                    "the scheme of the image URL is not supported; http://, https:// and data: are",
                    param);
        }
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c <= ' ' || c > '~' || FORBIDDEN.indexOf(c) >= 0) {
                throw invalid("has a character at index " + i + " that has to be percent-encoded", param);
            }
        }
        if (BAD_ESCAPE.matcher(text).find()) {
            throw invalid("has a percent sign without two hexadecimal digits", param);
        }
        int start = secure ? 8 : 7;
        int end = start;
        while (end < text.length() && "/?#".indexOf(text.charAt(end)) < 0) {
            end++;
        }
        String authority = text.substring(start, end).toLowerCase(Locale.ROOT);
        int fragment = text.indexOf('#', end);
        String target = text.substring(end, fragment < 0 ? text.length() : fragment);
        return of(
                secure ? "https" : "http",
                authority,
                target.startsWith("/") ? target : "/" + target,
                plainNames,
                param);
    }

    private static ImageUrl of(String scheme, String authority, String target, Set<String> plainNames, String param) {
        if (authority.indexOf('@') >= 0) {
            throw invalid("has user information, which is not allowed", param);
        }
        int colon = authority.lastIndexOf(':');
        boolean hasPort = colon > authority.lastIndexOf(']');
        String host = hasPort ? authority.substring(0, colon) : authority;
        int standardPort = scheme.equals("https") ? 443 : 80;
        int port = hasPort ? port(authority.substring(colon + 1), param) : standardPort;
        if (host.endsWith(".")) {
            host = host.substring(0, host.length() - 1);
        }
        if (!isAddress(host) && !isName(host, plainNames)) {
            throw invalid("has no valid host", param);
        }
        try {
            URI uri = new URI(scheme + "://" + host + (port == standardPort ? "" : ":" + port) + target);
            if (!host.equals(uri.getHost())) {
                throw invalid("has no valid host", param);
            }
            return new ImageUrl(uri, host, port);
        } catch (URISyntaxException e) {
            throw invalid("is malformed", param);
        }
    }

    private static int port(String text, String param) {
        int port = PORT.matcher(text).matches() ? Integer.parseInt(text) : 0;
        if (port < 1 || port > 65_535) {
            throw invalid("has no valid port", param);
        }
        return port;
    }

    private static boolean isAddress(String host) {
        if (V6.matcher(host).matches()) {
            try {
                return InetAddress.getByName(host) != null;
            } catch (UnknownHostException e) {
                return false;
            }
        }
        String[] octets = host.split("\\.", -1);
        if (octets.length != 4) {
            return false;
        }
        for (String octet : octets) {
            if (!OCTET.matcher(octet).matches() || Integer.parseInt(octet) > 255) {
                return false;
            }
        }
        return true;
    }

    /** Whether a host is a name of letters, digits and hyphens that no parser takes for an address. */
    private static boolean isName(String host, Set<String> plainNames) {
        String[] labels = host.split("\\.", -1);
        if (host.length() > MAX_NAME_LENGTH || (labels.length < 2 && !plainNames.contains(host))) {
            return false;
        }
        for (String label : labels) {
            if (!LABEL.matcher(label).matches()) {
                return false;
            }
        }
        return Character.isLetter(labels[labels.length - 1].charAt(0));
    }

    /**
     * The target of a redirect from this URL.
     *
     * @param location the Location header: a URL, or a reference relative to this one
     */
    ImageUrl resolve(String location, Set<String> plainNames, String param) {
        String origin = uri.getScheme() + "://" + uri.getRawAuthority();
        String path = uri.getRawPath();
        String absolute;
        if (location.startsWith("//")) {
            absolute = uri.getScheme() + ":" + location;
        } else if (location.startsWith("/")) {
            absolute = origin + location;
        } else if (SCHEME.matcher(location).matches()) {
            absolute = location;
        } else if (location.startsWith("?")) {
            absolute = origin + path + location;
        } else {
            absolute = origin + path.substring(0, path.lastIndexOf('/') + 1) + location;
        }
        return parse(absolute, plainNames, param);
    }

    /** The address that stands in the place of a name, if one does. */
    Optional<InetAddress> address() {
        byte[] bytes =
                NetUtil.createByteArrayFromIpAddressString(host.replace("[", "").replace("]", ""));
        try {
            return bytes == null ? Optional.empty() : Optional.of(InetAddress.getByAddress(bytes));
        } catch (UnknownHostException e) {
            throw new IllegalStateException(host, e); // of 4 or 16 bytes always
        }
    }

    /** What connections go to, by name. */
    String hostAndPort() {
        return host + ":" + port;
    }

    boolean secure() {
        return "https".equals(uri.getScheme());
    }

    private static GenerationException invalid(String reason, String param) {
        return new GenerationException(ErrorType.INVALID_IMAGE_URL, "the image URL " + reason, param);
    }
}
