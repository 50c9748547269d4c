package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.UnixOperatingSystemMXBean;
import io.idefics.image.TestPictures;
import io.idefics.testing.MiniEvaluation;
import io.idefics.testing.MiniEvaluation.Question;
import io.idefics.testing.MiniEvaluation.Reference;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** Requests that cannot be answered get an error that says why, cost nothing that lasts, and harm nobody else. */
class BadRequestsIT extends RunningServer {

    private static final long MEBIBYTE = 1 << 20;
    private static final String INVALID = "invalid_request_error";
    private static final String IMAGE = "messages[0].content[0].image_url.url";
    private static final byte[] PICTURE = MiniEvaluation.image("images/001.png");

    /**
     * A request and the error that it gets.
     *
     * @param body made when it is needed, as some are large
     * @param message a part of the message
     */
    private record BadRequest(
            String name, Supplier<String> body, int status, String code, @Nullable String param, String message) {

        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<BadRequest> malformed() {
        return Stream.of(
                bad("bad JSON", "{\"messages\": [", "invalid_value", null, "not valid JSON at line 1"),
                bad("an array", "[]", "invalid_value", null, "must be a JSON object but is an array"),
                bad("no messages", "{}", "invalid_value", "messages", "messages is missing but must be an array"),
                bad("empty messages", "{'messages':[]}", "invalid_value", "messages", "must have 1 to 1024"),
                bad(
                        "empty content",
                        "{'messages':[{'role':'user','content':[]}]}",
                        "invalid_value",
                        "messages",
                        "has 0 elements but must have 1 to 256"),
                bad(
                        "null content",
                        "{'messages':[{'role':'user','content':null}]}",
                        "invalid_value",
                        "messages",
                        "must be a string or an array of content parts"),
                bad(
                        "bad role",
                        "{'messages':[{'role':'king','content':'hi'}]}",
                        "invalid_value",
                        "messages",
                        "is 'king' but must be 'system', 'developer', 'user' or 'assistant'"),
                bad(
                        "tool role",
                        "{'messages':[{'role':'tool','content':'hi','tool_call_id':'1'}]}",
                        "unsupported_parameter",
                        "messages",
                        "cannot call tools"),
                bad(
                        "system alone",
                        "{'messages':[{'role':'system','content':'Be kind.'}]}",
                        "invalid_value",
                        "messages[0].role",
                        "must have the role 'user', not 'system'"),
                bad(
                        "assistant last",
                        "{'messages':[{'role':'user','content':'hi'},{'role':'assistant','content':'Hello.'}]}",
                        "invalid_value",
                        "messages[1].role",
                        "must have the role 'user', not 'assistant'"),
                bad(
                        "picture of the assistant",
                        "{'messages':[{'role':'assistant','content':[{'type':'image_url','image_url':'data:x'}]},"
                                + "{'role':'user','content':'hi'}]}",
                        "invalid_value",
                        "messages[0].content[0].image_url",
                        "Only messages of the role 'user' may contain images"),
                hello("negative max_tokens", "'max_tokens':-1", "invalid_value", "max_tokens", "is -1 but"),
                hello("zero max_tokens", "'max_tokens':0", "invalid_value", "max_tokens", "must lie between 1"),
                hello(
                        "huge max_tokens",
                        "'max_tokens':99999999999999999999",
                        "invalid_value",
                        "max_tokens",
                        "is 99999999999999999999 but"),
                hello(
                        "max_tokens beyond the context",
                        "'max_completion_tokens':1000000000",
                        "context_length_exceeded",
                        "messages",
                        "and 1000000000 for the answer"),
                hello("literal NaN", "'temperature':NaN", "invalid_value", null, "not valid JSON at line 1"),
                hello("NaN as a string", "'temperature':'NaN'", "invalid_value", "temperature", "must be a number"),
                hello("temperature 3", "'temperature':3", "invalid_value", "temperature", "between 0 and 2"),
                hello(
                        "tools required",
                        "'tool_choice':'required','tools':[]",
                        "unsupported_parameter",
                        "tool_choice",
                        "cannot call tools"),
                hello("nine answers", "'n':9", "invalid_value", "n", "between 1 and 8"),
                hello(
                        "a grammar",
                        "'guided_grammar':'root ::= x'",
                        "unsupported_parameter",
                        "guided_grammar",
                        "use json, regex or choice"),
                new BadRequest(
                        "unknown model",
                        () -> "{\"model\":\"gpt-5\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
                        404,
                        "model_not_found",
                        "model",
                        "The model 'gpt-5' does not exist."));
    }

    /** Requests whose picture is the fault. */
    static Stream<BadRequest> badPictures() {
        byte[] truncated = Arrays.copyOf(PICTURE, PICTURE.length / 2);
        byte[] html = "<!doctype html><html></html>".getBytes(StandardCharsets.UTF_8);
        byte[] vast = TestPictures.png(50_000, 50_000, 8, 2, new byte[100]);
        return Stream.of(
                url("broken base64", "data:image/png;base64,iVBO*w0K", "not valid base64"),
                url("data URL without base64", "data:image/png,abc", "not in base64"),
                url("file URL", "file:///etc/passwd", "scheme of the image URL is not supported"),
                url("FTP URL", "ftp://example.com/a.png", "scheme of the image URL is not supported"),
                url("no URL", "a.png", "scheme of the image URL is not supported"),
                url("credentials", "http://user:secret@example.com/a.png", "has user information"),
                url("private address", "http://10.0.0.1/a.png", "address of the image URL is not allowed"),
                url("link-local address", "http://169.254.169.254/latest", "address of the image URL is not allowed"),
                url("loopback address", "http://127.0.0.1/a.png", "address of the image URL is not allowed"),
                url("loopback port", IMAGE_HOST.canaryUrl(), "address of the image URL is not allowed"),
                url("loopback in hexadecimal", "http://0x7f000001/a.png", "has no valid host"),
                url("redirect to loopback", IMAGE_HOST.url("to-canary"), "could not be fetched"),
                url("port", "http://" + "127.0.0.9:6379/", "the port of the image URL is 6379; allowed are"),
                url("unreachable host", IMAGE_HOST.closedUrl(), "could not be fetched"),
                url("unknown picture", IMAGE_HOST.url("missing"), "could not be fetched"),
                picture("web page", "invalid_image_format", IMAGE_HOST.url("page"), "picture"),
                picture("web page as data", "invalid_image_format", MiniEvaluation.dataUrl(html), "picture"),
                picture("truncated", "invalid_image_format", MiniEvaluation.dataUrl(truncated), "truncated"),
                picture(
                        "50000 x 50000 pixels",
                        "image_too_large",
                        MiniEvaluation.dataUrl(vast),
                        "is 50000 x 50000 pixels; the limit for a side is 32768"));
    }

    /** Requests that are large themselves, or lead to much. */
    static Stream<BadRequest> tooMuch() {
        String words = "a red circle ".repeat(20_000);
        return Stream.of(
                picture("streamed 21 MB", "image_too_large", IMAGE_HOST.url("huge"), "limit of 20971520 bytes"),
                new BadRequest(
                        "data URL of 21 MB",
                        () -> ask("data:image/png;base64," + "A".repeat(28 << 20)),
                        400,
                        "image_too_large",
                        IMAGE,
                        "the image has 22020096 bytes; the limit is 20971520"),
                new BadRequest(
                        "too long a conversation",
                        () -> request(userMessage(words, IMAGE_HOST.url("images/001.png")))
                                .toString(),
                        400,
                        "context_length_exceeded",
                        "messages",
                        " tokens, but at most "));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource({"malformed", "badPictures", "tooMuch"})
    void post_badRequest_saysWhatIsWrong(BadRequest bad) {
        HttpResponse<String> response = post(bad.body().get());

        assertRefused(response, bad);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("badPictures")
    void post_badPictureInStream_isRefusedWithAStatus(BadRequest bad) throws IOException {
        ObjectNode body = (ObjectNode) JSON.readTree(bad.body().get());

        HttpResponse<String> response = post(body.put("stream", true).toString());

        assertRefused(response, bad);
    }

    @AfterEach
    void forbiddenAddressesHaveNotBeenContacted() {
        assertThat(IMAGE_HOST.canaryConnections()).isZero();
    }

    @Test
    void post_tooLongConversation_isRefusedBeforeItsPicturesAreFetched() {
        String words = "a red circle ".repeat(2_000);
        int before = IMAGE_HOST.connections();

        HttpResponse<String> response = post(
                request(userMessage(words, IMAGE_HOST.url("images/001.png"))).toString());

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(json(response).at("/error/code").textValue()).isEqualTo("context_length_exceeded");
        assertThat(json(response).at("/error/message").textValue()).containsPattern("[0-9]{4,}.*[0-9]{4,}");
        assertThat(IMAGE_HOST.connections()).isEqualTo(before);
        post(ask(IMAGE_HOST.url("images/001.png")));
        assertThat(IMAGE_HOST.connections()).as("what would have been seen").isEqualTo(before + 1);
    }

    @Test
    void post_answerBeyondContext_isRefusedWithAllNumbers() {
        HttpResponse<String> response =
                post(request(userMessage("hi")).put("max_tokens", 1_000_000).toString());

        assertThat(json(response).at("/error/message").textValue())
                .matches("The context length of this model is \\d+ tokens, but \\d+ were requested: "
                        + "\\d+ in the prompt and 1000000 for the answer\\.");
    }

    @Test
    void post_pictureByUrl_isAnsweredAsTheReferenceDoes() {
        for (String folder : List.of("images/", "moved/")) {
            Reference reference = pictureReference();
            ArrayNode messages = question(reference).openAiMessages();
            for (JsonNode part : messages.get(0).get("content")) {
                if (part.has("image_url")) {
                    String name = question(reference)
                            .messages()
                            .findValue("path")
                            .textValue()
                            .replace("images/", "");
                    ((ObjectNode) part.get("image_url")).put("url", IMAGE_HOST.url(folder + name));
                }
            }

            assertThat(text(post(request(messages).toString()))).as(folder).isEqualTo(reference.float32Text());
        }
    }

    @Test
    void post_manyBadRequests_leaveNothingBehind() throws IOException {
        int count = 300;
        for (int i = 0; i < 3; i++) { // until the heap has grown to what they take at a time
            sendBadPictures(count);
        }
        awaitIdle(PATIENCE);
        Holdings before = Holdings.settled();

        sendBadPictures(count);

        awaitIdle(PATIENCE);
        Holdings after = Holdings.settled();
        assertThat(after.heap() - before.heap()).isLessThan(16 * MEBIBYTE);
        assertThat(after.resident() - before.resident()).isLessThan(64 * MEBIBYTE);
        assertThat(after.files() - before.files()).isLessThan(count / 10);
        Reference reference = pictureReference();
        assertThat(text(post(request(question(reference).openAiMessages()).toString())))
                .isEqualTo(reference.float32Text());
    }

    private void sendBadPictures(int count) {
        List<BadRequest> cases = new ArrayList<>(badPictures().toList());
        byte[] noise = Arrays.copyOf(PICTURE, 1 << 20);
        Arrays.fill(noise, PICTURE.length / 2, noise.length, (byte) 0x5a);
        cases.add(picture("1 MB of noise", "invalid_image_format", MiniEvaluation.dataUrl(noise), "PNG"));
        Flux.range(0, count)
                .map(i -> cases.get(i % cases.size()))
                .flatMap(
                        bad -> Mono.fromFuture(() -> postAsync(bad.body().get()))
                                .doOnNext(response -> assertRefused(response, bad)),
                        8)
                .blockLast(PATIENCE);
    }

    /**
     * What the process holds after a collection.
     *
     * @param heap bytes of live objects
     * @param resident bytes of memory, native memory included, where the system tells
     * @param files open files and sockets, where the system tells
     */
    private record Holdings(long heap, long resident, long files) {

        private static final int PAGE_BYTES = 4096;

        /** The holdings once the collector has given back to the system what it does not need, which takes a while. */
        static Holdings settled() throws IOException {
            System.gc();
            AtomicLong last = new AtomicLong(Long.MAX_VALUE);
            await().atMost(PATIENCE).pollInterval(Duration.ofMillis(200)).until(() -> {
                long resident = residentBytes();
                return resident >= last.getAndSet(resident) - MEBIBYTE;
            });
            return new Holdings(
                    ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed(),
                    residentBytes(),
                    ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean unix
                            ? unix.getOpenFileDescriptorCount()
                            : 0);
        }

        private static long residentBytes() throws IOException {
            Path statm = Path.of("/proc/self/statm");
            return Files.exists(statm)
                    ? PAGE_BYTES * Long.parseLong(Files.readString(statm).split(" ")[1])
                    : 0;
        }
    }

    private static void assertRefused(HttpResponse<String> response, BadRequest bad) {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(bad.status());
        assertThat(response.headers().firstValue("content-type")).hasValue("application/json");
        JsonNode error = json(response).get("error");
        assertThat(error.get("type").textValue()).isEqualTo(INVALID);
        assertThat(error.get("code").textValue()).isEqualTo(bad.code());
        assertThat(error.get("param").textValue()).isEqualTo(bad.param());
        assertThat(error.get("message").textValue()).contains(bad.message()).hasSizeLessThan(300);
    }

    private static Reference pictureReference() {
        return MiniEvaluation.references().stream()
                .filter(reference -> question(reference).messages().size() == 1
                        && question(reference).messages().findValues("path").size() == 1)
                .findFirst()
                .orElseThrow();
    }

    private static Question question(Reference reference) {
        return MiniEvaluation.question(reference.id());
    }

    private static BadRequest bad(String name, String body, String code, @Nullable String param, String message) {
        return new BadRequest(name, () -> body.replace('\'', '"'), 400, code, param, message);
    }

    /** A sound message with a field that is not. */
    private static BadRequest hello(String name, String field, String code, @Nullable String param, String message) {
        return bad(name, "{'messages':[{'role':'user','content':'hi'}]," + field + "}", code, param, message);
    }

    private static BadRequest url(String name, String url, String message) {
        return picture(name, "invalid_image_url", url, message);
    }

    private static BadRequest picture(String name, String code, String url, String message) {
        return new BadRequest(name, () -> ask(url), 400, code, IMAGE, message);
    }

    private static String ask(String imageUrl) {
        return request(userMessage("What is this?", imageUrl)).toString();
    }
}
