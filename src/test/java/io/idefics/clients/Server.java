package io.idefics.clients;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

/** The server that is asked, as the tests use it. */
interface Server {

    /** Its address, as in {@code http://localhost:8080}. */
    String url();

    /** The URL by which it can fetch a picture of the evaluation set, as in {@code images/001.png}. */
    String pictureUrl(String path);

    /** Takes all the room for requests until the holder is closed; further requests get status 503. */
    Hold fill();

    /** Waits until nothing runs and there is room for all requests. */
    void awaitIdle();

    /** The sum of a meter over its tags. */
    default double meter(String nameAndTags) {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url() + "/actuator/metrics/" + nameAndTags))
                .build();
        String body = HttpClient.newHttpClient()
                .sendAsync(request, BodyHandlers.ofString())
                .join()
                .body();
        try {
            return new ObjectMapper().readTree(body).at("/measurements/0/value").doubleValue();
        } catch (JsonProcessingException e) {
            throw new AssertionError(body, e);
        }
    }

    /** Room that is taken. */
    interface Hold extends AutoCloseable {

        @Override
        void close();
    }
}
