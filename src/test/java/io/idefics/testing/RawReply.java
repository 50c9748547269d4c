package io.idefics.testing;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a server answers to bytes that no HTTP client would send.
 *
 * @param raw the answer as it came, one character for each byte; empty where there was none
 * @param millis how long it took
 * @param isClosed whether the server ended the connection
 */
public record RawReply(String raw, long millis, boolean isClosed) {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern STATUS = Pattern.compile("HTTP/\\S+ (\\d+)");
    private static final Pattern LENGTH = Pattern.compile("(?im)^content-length: *(\\d+)");
    private static final String HEAD_END = "\r\n\r\n";
    private static final int MAX_BYTES = 1 << 20;

    /** Sends bytes to a loopback port, while it reads, until the first answer is whole, the server closes, or too late. */
    public static RawReply to(int port, byte[] request, Duration patience) {
        return to(port, out -> out.write(request), false, patience);
    }

    /** Like {@link #to}, but reads until the server closes. */
    public static RawReply untilClosed(int port, byte[] request, Duration patience) {
        return to(port, out -> out.write(request), true, patience);
    }

    private static RawReply to(int port, Sender sender, boolean untilClosed, Duration patience) {
        long start = System.nanoTime();
        ByteArrayOutputStream reply = new ByteArrayOutputStream();
        boolean closed = false;
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setSoTimeout(Math.toIntExact(patience.toMillis()));
            Thread sending = new Thread(() -> send(sender, socket), "raw-request");
            sending.setDaemon(true);
            sending.start();
            InputStream in = socket.getInputStream();
            byte[] piece = new byte[1 << 16];
            while (reply.size() < MAX_BYTES && (untilClosed || !isWhole(text(reply)))) {
                int count = in.read(piece);
                if (count < 0) {
                    closed = true;
                    break;
                }
                reply.write(piece, 0, count);
            }
        } catch (SocketTimeoutException e) {
            // What came is the answer.
        } catch (IOException e) {
            closed = true;
        }
        return new RawReply(text(reply), (System.nanoTime() - start) / 1_000_000, closed);
    }

    private interface Sender {
        void send(OutputStream out) throws IOException;
    }

    private static void send(Sender sender, Socket socket) {
        try {
            sender.send(socket.getOutputStream());
        } catch (IOException e) {
            // The server may refuse before it has everything.
        }
    }

    private static String text(ByteArrayOutputStream bytes) {
        return bytes.toString(StandardCharsets.ISO_8859_1);
    }

    private static boolean isWhole(String reply) {
        int end = reply.indexOf(HEAD_END);
        if (end < 0) {
            return false;
        }
        Matcher length = LENGTH.matcher(reply.substring(0, end));
        int body = reply.length() - end - HEAD_END.length();
        return length.find() ? body >= Integer.parseInt(length.group(1)) : reply.endsWith("0\r\n\r\n");
    }

    /** The status, 0 where there was none. */
    public int status() {
        Matcher matcher = STATUS.matcher(raw);
        return matcher.lookingAt() ? Integer.parseInt(matcher.group(1)) : 0;
    }

    /** The lines of the head. */
    public List<String> head() {
        int end = raw.indexOf(HEAD_END);
        return Arrays.asList((end < 0 ? raw : raw.substring(0, end)).split("\r\n"));
    }

    /** The values of a header. */
    public List<String> header(String name) {
        String begin = name.toLowerCase(Locale.ROOT) + ":";
        return head().stream()
                .filter(line -> line.toLowerCase(Locale.ROOT).startsWith(begin))
                .map(line -> line.substring(begin.length()).strip())
                .toList();
    }

    /** The body, without the frames of chunks. */
    public String body() {
        int start = raw.indexOf(HEAD_END);
        if (start < 0) {
            return "";
        }
        String body = raw.substring(start + HEAD_END.length());
        String whole = header("transfer-encoding").contains("chunked") ? unchunked(body) : body;
        return new String(whole.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
    }

    private static String unchunked(String chunks) {
        StringBuilder body = new StringBuilder();
        int at = 0;
        while (at < chunks.length()) {
            int line = chunks.indexOf("\r\n", at);
            int size = line < 0 ? 0 : Integer.parseInt(chunks.substring(at, line), 16);
            if (size == 0 || line + 2 + size > chunks.length()) {
                break;
            }
            body.append(chunks, line + 2, line + 2 + size);
            at = line + 2 + size + 2;
        }
        return body.toString();
    }

    /** The data of server-sent events, in order. */
    public List<String> events() {
        return Arrays.stream(body().split("\n\n"))
                .filter(event -> event.startsWith("data: "))
                .map(event -> event.substring("data: ".length()))
                .toList();
    }

    /** The body as JSON. */
    public JsonNode json() {
        return json(body());
    }

    /** A text as JSON. */
    public static JsonNode json(String text) {
        try {
            return JSON.readTree(text);
        } catch (IOException e) {
            throw new UncheckedIOException(text, e);
        }
    }
}
