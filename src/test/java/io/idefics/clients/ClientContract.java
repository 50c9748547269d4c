package io.idefics.clients;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.idefics.clients.Chat.Tools;
import io.idefics.clients.Client.Answer;
import io.idefics.clients.Client.Refusal;
import io.idefics.testing.MiniEvaluation;
import io.idefics.testing.MiniEvaluation.Question;
import io.idefics.testing.MiniEvaluation.Reference;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** What a client library finds at the server, whichever it is: one test a feature. */
interface ClientContract {

    /** A question without a picture. */
    int TEXT = 248;

    /** A question before its picture, which is the order in which every client writes them. */
    int PICTURE = 115;

    /** A picture with a yellow sun on the left. */
    String SUN = "images/133.jpg";

    /** What the server says to clients that it has no room for. */
    Duration RETRY_AFTER = Duration.ofSeconds(1);

    Server server();

    /**
     * Makes a client.
     *
     * @param url the server's address, as in {@code http://localhost:8080}
     * @param retries how often the client repeats a request that may succeed later
     */
    Client connect(String url, int retries);

    @Test
    default void ask_text_isAnsweredAsTheReferenceDoes() {
        assertAnswersAsReference(TEXT, Chat.of(text(TEXT)));
    }

    @Test
    default void ask_pictureInDataUrl_isAnsweredAsTheReferenceDoes() {
        assertAnswersAsReference(PICTURE, picture());
    }

    @Test
    default void ask_pictureByUrl_isAnsweredAsTheReferenceDoes() {
        assertAnswersAsReference(PICTURE, Chat.of(text(PICTURE), server().pictureUrl(path(PICTURE))));
    }

    @Test
    default void ask_twoTurns_isAnsweredFromTheFirst() {
        Chat first = Chat.of("What is on the left?", MiniEvaluation.dataUrl(MiniEvaluation.image(SUN)));
        try (Client client = connect()) {
            Answer answer = client.ask(first);
            Answer second = client.ask(first.then(answer.text(), "Which color?"));

            assertThat(answer.text()).isEqualTo("A yellow sun is on the left.");
            assertThat(second.text()).isEqualTo("It is yellow.");
            assertThat(client.ask(Chat.of("Which color?")).text()).doesNotContain("yellow");
        }
    }

    @Test
    default void stream_text_isTheWholeAnswerInPieces() {
        assertStreamsAsWhole(Chat.of(text(TEXT)));
    }

    @Test
    default void stream_picture_isTheWholeAnswerInPieces() {
        assertStreamsAsWhole(picture());
    }

    @Test
    default void stream_twoTurns_isTheWholeAnswerInPieces() {
        assertStreamsAsWhole(Chat.of("Hello!").then("Hello!", text(TEXT)));
    }

    @Test
    default void ask_toolsOffered_isAnsweredAsWithout() {
        try (Client client = connect()) {
            Answer without = client.ask(picture());

            assertThat(client.ask(picture().withTools(Tools.OFFERED))).isEqualTo(without);
            assertThat(client.stream(picture().withTools(Tools.OFFERED)).text()).isEqualTo(without.text());
        }
    }

    @Test
    default void ask_toolRequired_isRefusedByTheParameter() {
        try (Client client = connect()) {
            Refusal refusal = refusalOfWhole(client, 400, Chat.of("Hello!").withTools(Tools.REQUIRED));

            assertThat(refusal.param()).isEqualTo("tool_choice");
            assertThat(refusal.code()).isEqualTo("unsupported_parameter");
            assertThat(refusal.message()).contains("tool_choice is 'required'");
        }
    }

    @Test
    default void ask_badValue_isRefusedOnce() {
        try (CountingProxy proxy = new CountingProxy(server().url(), request -> {});
                Client client = connect(proxy.url(), 2)) {
            Refusal refusal = refusalOfWhole(client, 400, Chat.of("Hello!").withTopP(1.5));

            assertThat(refusal.param()).isEqualTo("top_p");
            assertThat(refusal.code()).isEqualTo("invalid_value");
            assertThat(refusal.message()).contains("top_p is 1.5 but must lie between 0 and 1");
            assertThat(proxy.requests()).isEqualTo(1);
        }
    }

    @Test
    default void stream_badPicture_isRefusedOnce() {
        try (CountingProxy proxy = new CountingProxy(server().url(), request -> {});
                Client client = connect(proxy.url(), 2)) {
            Refusal refusal = refusalOfStream(client, 400, Chat.of("Look.", "data:image/png;base64,AAAA"));

            assertThat(refusal.param()).isEqualTo("messages[0].content[1].image_url.url");
            assertThat(refusal.code()).isEqualTo("invalid_image_format");
            assertThat(proxy.requests()).isEqualTo(1);
        }
    }

    @Test
    default void ask_pictureThatMayNotBeFetched_isRefusedOnce() {
        try (CountingProxy proxy = new CountingProxy(server().url(), request -> {});
                Client client = connect(proxy.url(), 2)) {
            Refusal refusal = refusalOfWhole(client, 400, Chat.of("Look.", "http://127.0.0.77/picture.png"));

            assertThat(refusal.param()).isEqualTo("messages[0].content[1].image_url.url");
            assertThat(refusal.code()).isEqualTo("invalid_image_url");
            assertThat(proxy.requests()).isEqualTo(1);
        }
    }

    @Test
    default void askAndStream_unknownModel_isNotFound() {
        Chat chat = Chat.of("Hello!").withModel("gpt-5");
        try (Client client = connect()) {
            Refusal refusal = refusalOfWhole(client, 404, chat);

            assertThat(refusal.param()).isEqualTo("model");
            assertThat(refusal.code()).isEqualTo("model_not_found");
            assertThat(refusal.message()).contains("'gpt-5' does not exist");
            assertThat(refusalOfStream(client, 404, chat)).isEqualTo(refusal);
        }
    }

    @Test
    default void ask_serverStaysFull_isRepeatedAsOftenAsWanted() {
        server().awaitIdle();
        try (Server.Hold hold = server().fill();
                CountingProxy proxy = new CountingProxy(server().url(), request -> {});
                Client client = connect(proxy.url(), 1)) {
            Refusal refusal = refusalOfWhole(client, 503, Chat.of("Hello!"));

            assertThat(refusal.code()).isEqualTo("overloaded");
            assertThat(refusal.message()).contains("the most it admits");
            assertThat(proxy.requests()).isEqualTo(2);
            assertThat(proxy.firstPause().compareTo(RETRY_AFTER) >= 0 || !client.heedsRetryAfter())
                    .as("pause of %s", proxy.firstPause())
                    .isTrue();
        }
    }

    @Test
    default void ask_serverIsFullAtFirst_isAnsweredOnTheNextTry() {
        server().awaitIdle();
        Server.Hold hold = server().fill();
        try (CountingProxy proxy = new CountingProxy(server().url(), request -> {
                    if (request == 2) {
                        hold.close();
                    }
                });
                Client client = connect(proxy.url(), 2)) {
            assertThat(client.ask(Chat.of("Hello!")).text()).isNotBlank();

            assertThat(proxy.requests()).isEqualTo(2);
        } finally {
            hold.close();
        }
    }

    @Test
    default void stream_serverStaysFull_isRefused() {
        server().awaitIdle();
        try (Server.Hold hold = server().fill();
                CountingProxy proxy = new CountingProxy(server().url(), request -> {});
                Client client = connect(proxy.url(), 1)) {
            Refusal refusal = refusalOfStream(client, 503, Chat.of("Hello!"));

            assertThat(refusal.code()).isEqualTo("overloaded");
            assertThat(proxy.requests()).isEqualTo(client.repeatsStreams() ? 2 : 1);
        }
    }

    @Test
    default void stream_clientLeaves_endsTheGeneration() {
        server().awaitIdle();
        double before = generatedTokens();
        try (Client client = connect()) {
            client.leaveAfterFirstPiece(Chat.of("Hello!").endless());
            server().awaitIdle();

            // Unless the client leaves, the answer fills the context of 2048 tokens.
            assertThat(generatedTokens() - before).isBetween(1.0, 1000.0);
            assertThat(client.ask(Chat.of("Hello!")).text()).isNotBlank();
        }
    }

    private Client connect() {
        return connect(server().url(), 0);
    }

    private double generatedTokens() {
        return server().meter("idefics.engine.tokens?tag=kind:generated");
    }

    private void assertAnswersAsReference(int id, Chat chat) {
        Reference reference = reference(id);
        try (Client client = connect()) {
            Answer answer = client.ask(chat);

            assertThat(answer.text()).isEqualTo(reference.float32Text());
            assertThat(answer.model()).isEqualTo(Chat.MODEL);
            assertThat(answer.finishReason()).isEqualTo("stop");
            assertThat(answer.promptTokens()).isEqualTo(reference.promptIds().size());
            assertThat(answer.completionTokens())
                    .isEqualTo(reference.float32Ids().size());
        }
    }

    private void assertStreamsAsWhole(Chat chat) {
        try (Client client = connect()) {
            Answer whole = client.ask(chat);
            Answer streamed = client.stream(chat);

            assertThat(streamed.pieces()).hasSizeGreaterThan(2);
            assertThat(streamed)
                    .usingRecursiveComparison()
                    .ignoringFields("pieces")
                    .isEqualTo(whole);
            assertThat(streamed.text()).isEqualTo(whole.text());
        }
    }

    private static Refusal refusalOfWhole(Client client, int status, Chat chat) {
        Throwable failure = catchThrowable(() -> client.ask(chat));
        assertThat(failure).isInstanceOf(client.exception(status, false));
        return client.refusal(failure);
    }

    private static Refusal refusalOfStream(Client client, int status, Chat chat) {
        Throwable failure = catchThrowable(() -> client.stream(chat));
        assertThat(failure).isInstanceOf(client.exception(status, true));
        return client.refusal(failure);
    }

    /** A question about a picture in a data URL. */
    private static Chat picture() {
        return Chat.of(text(PICTURE), MiniEvaluation.dataUrl(MiniEvaluation.image(path(PICTURE))));
    }

    private static String text(int id) {
        Question question = MiniEvaluation.question(id);
        return question.messages().at("/0/content/0/text").textValue();
    }

    private static String path(int id) {
        return MiniEvaluation.question(id).messages().at("/0/content/1/path").textValue();
    }

    private static Reference reference(int id) {
        return MiniEvaluation.references().stream()
                .filter(reference -> reference.id() == id)
                .findFirst()
                .orElseThrow();
    }
}
