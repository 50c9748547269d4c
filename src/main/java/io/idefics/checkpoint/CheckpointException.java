package io.idefics.checkpoint;

/** A checkpoint that cannot be loaded; the message names the file and, where there is one, the tensor. */
public class CheckpointException extends RuntimeException {

    private static final int QUOTE_LIMIT = 120;

    public CheckpointException(String message) {
        super(message);
    }

    public CheckpointException(String message, Throwable cause) {
        super(message, cause);
    }

    /** Text from a file made fit for a message: quoted, control characters replaced, cut to a readable length. */
    static String quote(String text) {
        String shown = text.length() <= QUOTE_LIMIT ? text : text.substring(0, QUOTE_LIMIT) + "...";
        return "\"" + shown.replaceAll("\\p{Cntrl}", "?") + "\"";
    }
}
