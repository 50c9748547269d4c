package io.idefics.testing;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPOutputStream;

/**
 * A host of pictures that does what a host can do wrong, on a loopback address of its own: {@code /fault} asks for one.
 * It speaks in raw bytes, so that it can break the rules of HTTP.
 */
public final class HostileImageHost implements AutoCloseable {

    /** Where it listens: an address that nothing else uses, so that tests can allow it alone. */
    public static final String ADDRESS = "127.0.0.9";

    private static final int MOST_HINTS = 500;
    private static final int BOMB_BYTES = 100 << 20;
    private static final byte[] PIECE = new byte[65_536];

    private final byte[] picture;
    private final ServerSocket socket;
    private final Queue<String> requests = new ConcurrentLinkedQueue<>();
    private final Queue<Socket> open = new ConcurrentLinkedQueue<>();
    private final CountDownLatch closed = new CountDownLatch(1);

    /** @param picture what is given, wholly or in part */
    public HostileImageHost(byte[] picture) {
        this.picture = picture.clone();
        try {
            socket = new ServerSocket(0, 512, InetAddress.getByName(ADDRESS));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        thread("hostile-image-host", this::accept);
    }

    public int port() {
        return socket.getLocalPort();
    }

    /** The URL of a fault. */
    public String url(String fault) {
        return "http://" + ADDRESS + ":" + port() + "/" + fault;
    }

    /** What was asked for, one request head after the other. */
    public List<String> requests() {
        return List.copyOf(requests);
    }

    /** How often a fault was asked for. */
    public long requests(String fault) {
        return requests.stream()
                .filter(head -> head.startsWith("GET /" + fault + " "))
                .count();
    }

    /** Connections that nobody has closed yet. */
    public long openConnections() {
        open.removeIf(Socket::isClosed);
        return open.size();
    }

    private static void thread(String name, Runnable task) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        thread.start();
    }

    private void accept() {
        try {
            while (true) {
                Socket connection = socket.accept();
                open.add(connection);
                thread("hostile-connection", () -> serve(connection));
            }
        } catch (IOException e) {
            // closed
        }
    }

    private void serve(Socket connection) {
        try (connection) {
            String head = head(connection.getInputStream());
            if (!head.isEmpty()) {
                requests.add(head);
                answer(head.split(" ")[1].substring(1).replaceAll("\\?.*", ""), connection);
            }
        } catch (IOException e) {
            // the other side has had enough
        }
    }

    private static String head(InputStream in) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int next = in.read();
            if (next < 0) {
                return "";
            }
            head.append((char) next);
        }
        return head.toString();
    }

    private void answer(String fault, Socket connection) throws IOException {
        OutputStream out = connection.getOutputStream();
        int size = picture.length;
        byte[] half = Arrays.copyOf(picture, size / 2);
        switch (fault) {
            case "ok", "type-lies" -> write(out, ok("Content-Length: " + size, "Content-Type: text/html"), picture);
            case "no-type", "no-length" -> write(out, ok(), picture);
            case "hang-accept" -> awaitEnd(connection);
            case "hang-headers" -> {
                write(out, ascii("HTTP/1.1 200 OK\r\nContent-Ty"));
                awaitEnd(connection);
            }
            case "hang-body" -> {
                write(out, ok("Content-Length: " + size), Arrays.copyOf(picture, 50));
                awaitEnd(connection);
            }
            case "drip-headers" -> drip(out, ok("Content-Length: " + size), 1, 100);
            case "drip-body" -> {
                write(out, ok("Content-Length: " + size));
                drip(out, picture, 1, 100);
            }
            case "drip-pieces" -> {
                write(out, ok("Content-Length: " + size));
                drip(out, picture, Math.max(1, size / 5), 1000);
            }
            case "rst-accept" -> reset(connection);
            case "rst-headers" -> {
                write(out, ascii("HTTP/1.1 200 OK\r\n"));
                reset(connection);
            }
            case "rst-body" -> {
                write(out, ok("Content-Length: " + size), half);
                reset(connection);
            }
            case "fin-early" -> write(out, ok("Content-Length: " + size), half);
            case "once-broken" -> {
                if (requests(fault) > 1) {
                    write(out, ok("Content-Length: " + size), picture);
                } else {
                    write(out, ok("Content-Length: " + size), half);
                }
            }
            case "length-too-small" -> write(out, ok("Content-Length: " + size / 2), picture);
            case "length-too-big" -> write(out, ok("Content-Length: " + size * 2), picture);
            case "length-huge" -> {
                write(out, ok("Content-Length: 1000000000000"), picture);
                awaitEnd(connection);
            }
            case "length-negative" -> write(out, ok("Content-Length: -5"), picture);
            case "two-lengths" -> write(out, ok("Content-Length: " + size, "Content-Length: 5"), picture);
            case "endless" -> endless(out, ok(), PIECE);
            case "endless-chunked" ->
                endless(out, ok("Transfer-Encoding: chunked"), ascii("10000\r\n"), PIECE, ascii("\r\n"));
            case "chunk-bad" -> write(out, ok("Transfer-Encoding: chunked"), ascii("zz\r\n"), picture);
            case "chunk-cut" ->
                write(
                        out,
                        ok("Transfer-Encoding: chunked"),
                        ascii(Integer.toHexString(size) + "\r\n"),
                        Arrays.copyOf(picture, 20));
            case "gzip-bomb" -> write(out, ok("Content-Encoding: gzip"), bomb());
            case "brotli" -> write(out, ok("Content-Encoding: br", "Content-Length: " + size), picture);
            case "endless-headers" ->
                endless(out, ascii("HTTP/1.1 200 OK\r\n"), ascii("X-Header: " + "a".repeat(1000) + "\r\n"));
            case "long-status" -> write(out, ascii("HTTP/1.1 200 " + "a".repeat(1_000_000) + "\r\n\r\n"));
            case "not-http" -> {
                write(out, ascii("SSH-2.0-OpenSSH_9.2\r\n"));
                awaitEnd(connection);
            }
            case "html" -> write(out, ok("Content-Length: 14"), ascii("<h1>hello</h1>"));
            case "early-hints" ->
                write(
                        out,
                        ascii("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(MOST_HINTS)),
                        ok("Content-Length: " + size),
                        picture);
            case "redirect-loop" -> write(out, redirect("/redirect-loop"));
            case "redirect-new" -> write(out, redirect("/redirect-new?" + requests.size()));
            case "redirect-nowhere" -> write(out, ascii("HTTP/1.1 302 X\r\nContent-Length: 0\r\n\r\n"));
            case "redirect-ok" -> write(out, redirect("/ok"));
            case "redirect-canary" -> write(out, redirect("http://127.0.0.1:" + port() + "/ok"));
            case "redirect-metadata" -> write(out, redirect("http://169.254.169.254/latest/meta-data/"));
            case "redirect-endless" -> endless(out, ascii("HTTP/1.1 302 X\r\nLocation: /ok\r\n\r\n"), PIECE);
            case "set-cookie" ->
                write(out, ascii("HTTP/1.1 302 X\r\nLocation: /ok\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"));
            case "smuggle" -> {
                write(
                        out,
                        ascii("HTTP/1.1 200 OK\r\nContent-Length: " + size + "\r\n\r\n"),
                        picture,
                        ascii("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"));
                awaitEnd(connection);
            }
            default ->
                write(
                        out,
                        ascii("HTTP/1.1 " + fault + " X\r\nRetry-After: 1\r\nWWW-Authenticate: Basic realm=x\r\n"
                                + "Connection: close\r\nContent-Length: 6\r\n\r\nsecret"));
        }
        out.flush();
    }

    private static byte[] redirect(String location) {
        return ascii("HTTP/1.1 302 X\r\nLocation: " + location + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }

    private static byte[] ok(String... headers) {
        StringBuilder head = new StringBuilder("HTTP/1.1 200 OK\r\nConnection: close\r\n");
        for (String header : headers) {
            head.append(header).append("\r\n");
        }
        return ascii(head.append("\r\n").toString());
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    private static void write(OutputStream out, byte[]... parts) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        out.write(all.toByteArray());
        out.flush();
    }

    private static void endless(OutputStream out, byte[] head, byte[]... pieces) throws IOException {
        write(out, head);
        while (true) {
            write(out, pieces);
        }
    }

    /** So many bytes at a time until all are written, the other side has gone, or this host is closed. */
    private void drip(OutputStream out, byte[] bytes, int step, int millis) throws IOException {
        for (int i = 0; i < bytes.length; i += step) {
            out.write(bytes, i, Math.min(step, bytes.length - i));
            out.flush();
            try {
                if (closed.await(millis, TimeUnit.MILLISECONDS)) {
                    return;
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    private static void awaitEnd(Socket connection) throws IOException {
        while (connection.getInputStream().read() >= 0) {
            // nothing more is expected
        }
    }

    private static void reset(Socket connection) throws IOException {
        connection.setSoLinger(true, 0);
        connection.close();
    }

    private static byte[] bomb() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            for (int written = 0; written < BOMB_BYTES; written += PIECE.length) {
                gzip.write(PIECE);
            }
        }
        return out.toByteArray();
    }

    @Override
    public void close() throws IOException {
        closed.countDown();
        socket.close();
        for (Socket connection : open) {
            connection.close();
        }
    }
}
