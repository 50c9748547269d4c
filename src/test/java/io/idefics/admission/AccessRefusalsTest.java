package io.idefics.admission;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.admission.AccessRefusals.Reason;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

@ExtendWith(OutputCaptureExtension.class)
class AccessRefusalsTest {

    private final AtomicLong now = new AtomicLong(Long.MAX_VALUE - 5);
    private final AccessRefusals refusals = new AccessRefusals(now::get);

    @Test
    void record_many_areCountedByReason() {
        refusals.record(Reason.UNKNOWN, "address:192.0.2.1");
        refusals.record(Reason.UNKNOWN, "address:192.0.2.2");
        refusals.record(Reason.SCOPE, "key:a");

        assertThat(refusals.total(Reason.UNKNOWN)).isEqualTo(2);
        assertThat(refusals.total(Reason.SCOPE)).isEqualTo(1);
        assertThat(refusals.total(Reason.MISSING)).isZero();
    }

    @Test
    void record_flood_isLoggedOnceEachTenSeconds(CapturedOutput output) {
        for (int i = 0; i < 1000; i++) {
            refusals.record(Reason.MISSING, "address:192.0.2.1");
        }
        assertThat(lines(output)).isEqualTo(1);

        now.addAndGet(Duration.ofSeconds(10).toNanos());
        refusals.record(Reason.UNKNOWN, "address:192.0.2.9");

        assertThat(lines(output)).isEqualTo(2);
        assertThat(output)
                .contains("Refused address:192.0.2.9 for the API key (unknown); 1000 since the last such line");
    }

    @Test
    void record_hostName_isNoMatterOfKeys(CapturedOutput output) {
        refusals.record(Reason.HOST, "address:127.0.0.1");

        assertThat(output).contains("Refused address:127.0.0.1 for the host name; 1 since the last such line");
    }

    private static long lines(CapturedOutput output) {
        return output.getAll().lines().filter(line -> line.contains("Refused ")).count();
    }
}
