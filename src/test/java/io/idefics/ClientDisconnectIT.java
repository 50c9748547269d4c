package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.idefics.service.EngineProbe;
import io.idefics.testing.MiniEvaluation;
import io.idefics.testing.MiniEvaluation.Reference;
import io.idefics.tokenizer.IdeficsTokenizer;
import io.idefics.tokenizer.SpecialTokens;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** A client that goes away takes its work with it. */
class ClientDisconnectIT extends RunningServer {

    /** Many enough that their answers together would take far longer than the tests wait. */
    private static final int CLIENTS = 24;

    private static final Duration SOON = Duration.ofSeconds(10);

    @Test
    void stream_clientLeavesAfterTheFirstChunk_leavesTheEngineToTheNext() {
        CompletableFuture<Void> allServed = CompletableFuture.runAsync(() -> {
            for (int i = 0; i < CLIENTS; i++) {
                close(streaming());
            }
        });

        assertThat(allServed).succeedsWithin(SOON);
        awaitIdle(SOON);
        assertServes();
    }

    @Test
    void stream_clientsLeaveWhileTheyWait_leaveNoWork() {
        List<Socket> sockets = new ArrayList<>(List.of(streaming()));
        for (int i = 1; i < CLIENTS; i++) {
            sockets.add(send(endless().put("stream", true)));
        }
        awaitSequences(CLIENTS);

        sockets.forEach(ClientDisconnectIT::close);

        awaitIdle(SOON);
        assertServes();
    }

    @Test
    void wholeAnswer_clientsLeave_leaveNoWork() {
        Socket first = streaming();
        List<Socket> sockets = new ArrayList<>();
        for (int i = 1; i < CLIENTS; i++) {
            sockets.add(send(endless()));
        }
        awaitSequences(CLIENTS);
        close(first);
        awaitSequences(CLIENTS - 1);

        sockets.forEach(ClientDisconnectIT::close);

        awaitIdle(SOON);
        assertServes();
    }

    private void awaitSequences(int sequences) {
        await().atMost(PATIENCE).until(() -> EngineProbe.sequences(registry) == sequences);
    }

    private void assertServes() {
        Reference reference = MiniEvaluation.references().get(0);
        String body = request(MiniEvaluation.question(reference.id()).openAiMessages())
                .toString();

        assertThat(text(post(body))).isEqualTo(reference.float32Text());
    }

    /** A request whose answer would fill the whole context, since it may not end. */
    private static ObjectNode endless() {
        ObjectNode body = request(userMessage("Hello!"));
        ObjectNode bias = body.putObject("logit_bias");
        try (IdeficsTokenizer tokenizer = IdeficsTokenizer.load(MiniEvaluation.MODEL.resolve("tokenizer.json"))) {
            SpecialTokens special = tokenizer.specialTokens();
            bias.put(String.valueOf(special.eos()), -100);
            special.endOfUtterance().ifPresent(id -> bias.put(String.valueOf(id), -100));
        }
        return body;
    }

    /** A client that has received the first text of its stream. */
    private Socket streaming() {
        Socket socket = send(endless().put("stream", true));
        try {
            BufferedReader reader =
                    new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
            String line = reader.readLine();
            assertThat(line).contains("200");
            while (line != null && !line.matches(".*\"content\":\"[^\"]+\".*")) {
                line = reader.readLine();
            }
            assertThat(line).isNotNull();
            return socket;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Socket send(ObjectNode body) {
        byte[] content = body.toString().getBytes(StandardCharsets.UTF_8);
        String head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + "Content-Length: " + content.length + "\r\n\r\n";
        try {
            Socket socket = new Socket("localhost", port);
            socket.setSoTimeout(Math.toIntExact(PATIENCE.toMillis()));
            socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
            socket.getOutputStream().write(content);
            return socket;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
