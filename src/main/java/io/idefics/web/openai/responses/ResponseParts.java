package io.idefics.web.openai.responses;

import io.idefics.generation.FinishReason;
import io.idefics.generation.GenerationRequest;
import io.idefics.generation.Usage;
import io.idefics.web.ApiError;
import io.idefics.web.SingleAnswer;
import io.idefics.web.openai.responses.ResponseObject.Failure;
import io.idefics.web.openai.responses.ResponseObject.IncompleteDetails;
import io.idefics.web.openai.responses.ResponseObject.Logprob;
import io.idefics.web.openai.responses.ResponseObject.OutputMessage;
import io.idefics.web.openai.responses.ResponseObject.OutputText;
import io.idefics.web.openai.responses.ResponseObject.Reasoning;
import io.idefics.web.openai.responses.ResponseObject.ResponseUsage;
import io.idefics.web.openai.responses.ResponseObject.TextConfig;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * One answer on its way to the client: what all its parts have in common.
 *
 * @param id the id of the answer
 * @param itemId the id of its only message
 * @param created when it was begun, in seconds since the epoch
 * @param request what was asked for
 */
record ResponseParts(String id, String itemId, long created, ResponsesRequest request) {

    private static final Set<String> TOLD_CODES =
            Set.of("invalid_image_url", "invalid_image_format", "image_too_large");

    static ResponseParts begin(ResponsesRequest request) {
        return new ResponseParts(
                "resp_" + random(), "msg_" + random(), Instant.now().getEpochSecond(), request);
    }

    private static String random() {
        return UUID.randomUUID().toString().replace("-", "");
    }

    /** The answer before anything was generated. */
    ResponseObject begun() {
        return response("in_progress", null, null, null, List.of(), null);
    }

    /** The whole answer. */
    ResponseObject ended(SingleAnswer answer) {
        boolean complete = answer.end().reason() != FinishReason.LENGTH;
        return response(
                status(answer),
                complete ? Instant.now().getEpochSecond() : null,
                null,
                complete ? null : new IncompleteDetails("max_output_tokens"),
                List.of(message(answer)),
                usage(answer.usage()));
    }

    /** The answer that could not be given to its end. */
    ResponseObject failed(ApiError error) {
        return response("failed", null, failure(error), null, List.of(), null);
    }

    /** The message before it has any text. */
    OutputMessage emptyMessage() {
        return message("in_progress", List.of());
    }

    /** The whole message. */
    OutputMessage message(SingleAnswer answer) {
        return message(status(answer), List.of(text(answer)));
    }

    /** The whole text. */
    static OutputText text(SingleAnswer answer) {
        return OutputText.of(answer.text(), Logprob.of(answer.logprobs()));
    }

    private OutputMessage message(String status, List<OutputText> content) {
        return new OutputMessage(itemId, "message", status, "assistant", content);
    }

    private static String status(SingleAnswer answer) {
        return answer.end().reason() == FinishReason.LENGTH ? "incomplete" : "completed";
    }

    /** The codes of OpenAI's enumeration, whose general ones stand for all that it does not have. */
    private static Failure failure(ApiError error) {
        String code = error.detail().code();
        if (code == null || !TOLD_CODES.contains(code)) {
            code = error.status().is5xxServerError() ? "server_error" : "invalid_prompt";
        }
        return new Failure(code, error.detail().message());
    }

    private static ResponseUsage usage(Usage usage) {
        return new ResponseUsage(
                usage.promptTokens(),
                new ResponseUsage.InputDetails(usage.cachedTokens(), 0, usage.imageTokens()),
                usage.completionTokens(),
                new ResponseUsage.OutputDetails(0),
                usage.totalTokens());
    }

    private ResponseObject response(
            String status,
            @Nullable Long completedAt,
            @Nullable Failure error,
            @Nullable IncompleteDetails incomplete,
            List<OutputMessage> output,
            @Nullable ResponseUsage usage) {
        GenerationRequest generation = request.generation();
        ResponsesRequest.Settings settings = request.settings();
        Integer maxOutputTokens = settings.maxOutputTokens().isPresent()
                ? settings.maxOutputTokens().getAsInt()
                : null;
        Object format = settings.format() == null ? Map.of("type", "text") : settings.format();
        return new ResponseObject(
                id,
                ResponseObject.OBJECT,
                created,
                status,
                false,
                completedAt,
                error,
                incomplete,
                settings.instructions(),
                maxOutputTokens,
                settings.metadata(),
                generation.model(),
                output,
                settings.parallelToolCalls(),
                null,
                new Reasoning(null, null),
                "default",
                false,
                generation.sampling().temperature(),
                new TextConfig(format),
                settings.toolChoice(),
                List.of(),
                settings.topLogprobs(),
                generation.sampling().topP(),
                "disabled",
                usage);
    }
}
