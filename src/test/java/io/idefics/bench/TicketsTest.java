package io.idefics.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class TicketsTest {

    @Test
    void take_count_endsWithIt() {
        Tickets tickets = new Tickets(new Extent.Requests(2), 0);
        assertThat(tickets.take(Long.MAX_VALUE)).isTrue();
        assertThat(tickets.take(0)).isTrue();
        assertThat(tickets.take(0)).isFalse();
    }

    @Test
    void take_duration_endsWithItEvenWhereTheClockOverflows() {
        long begin = Long.MAX_VALUE - 5;
        Tickets tickets = new Tickets(new Extent.Lasting(Duration.ofNanos(10)), begin);
        assertThat(tickets.take(begin)).isTrue();
        assertThat(tickets.take(begin + 9)).isTrue();
        assertThat(tickets.take(begin + 10)).isFalse();
    }
}
