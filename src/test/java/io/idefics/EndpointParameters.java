package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.stream.StreamSupport;

/**
 * Requests to one endpoint of the running service that differ in their parameters alone. JSON is written with single
 * quotes.
 */
abstract class EndpointParameters extends RunningServer {

    /** A schema whose answers are short, and which no answer without it keeps. */
    static final String SCHEMA = "{'type': 'object', 'properties': {'colour': {'enum': ['red', 'blue']}}, "
            + "'required': ['colour'], 'additionalProperties': false}";

    private final String path;
    private final String body;
    private final String text;

    /**
     * Names an endpoint.
     *
     * @param path where requests go
     * @param body a body, with {@code PARAMETERS} where the parameters go, each with a comma before it
     * @param text the pointer to the text in its answer
     */
    EndpointParameters(String path, String body, String text) {
        this.path = path;
        this.body = body;
        this.text = text;
    }

    HttpResponse<String> send(String parameters) {
        String all = parameters.isEmpty() ? "" : ", " + parameters;
        return post(path, body.replace("PARAMETERS", all).replace('\'', '"'));
    }

    JsonNode ask(String parameters) {
        HttpResponse<String> response = send(parameters);
        assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
        return json(response);
    }

    String answer(String parameters) {
        return ask(parameters).at(text).textValue();
    }

    static List<String> strings(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false)
                .map(JsonNode::asText)
                .toList();
    }

    /** Fails unless the answer keeps {@link #SCHEMA}. */
    static void assertKeepsSchema(String answer) {
        assertThat(answer.replaceAll("\\s", "")).isIn("{\"colour\":\"red\"}", "{\"colour\":\"blue\"}");
    }
}
