package io.idefics.bench;

import io.idefics.generation.Message;
import java.util.List;

/** What is measured. Thread-safe. */
interface Target extends AutoCloseable {

    /** Where it is, for the report. */
    String name();

    /** The model that answers. */
    String model();

    /** Makes a request ready, so that the work of making it is not measured. */
    Call prepare(List<Message> messages);

    @Override
    void close();

    /** A request that can be sent once. */
    interface Call {

        /**
         * Sends the request.
         *
         * @param listener is told of the answer by any thread, but by one at a time
         * @return what abandons the request
         */
        Runnable send(AnswerListener listener);
    }
}
