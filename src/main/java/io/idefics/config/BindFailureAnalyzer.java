package io.idefics.config;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;
import reactor.netty.ChannelBindException;

/** Tells why the server cannot listen where it should, such as on a port for which it lacks the permission. */
final class BindFailureAnalyzer extends AbstractFailureAnalyzer<ChannelBindException> {

    @Override
    protected FailureAnalysis analyze(Throwable root, ChannelBindException failure) {
        Throwable reason = failure.getCause() == null ? failure : failure.getCause();
        return new FailureAnalysis(
                "The server cannot listen on " + failure.localHost() + ":" + failure.localPort() + ": "
                        + reason.getMessage() + ".",
                "Set server.address to an address of this machine and server.port to a free port above 1023;"
                        + " the port of the actuator is management.server.port.",
                failure);
    }
}
