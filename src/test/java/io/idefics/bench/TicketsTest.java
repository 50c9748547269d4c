package io.idefics.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class TicketsTest {

    @Test
    void take_count_endsWithIt() {
        Tickets tickets = new Tickets(new Extent.Requests(5), 0);
        assertThat(tickets.take(3, Long.MAX_VALUE)).isEqualTo(3);
        assertThat(tickets.take(3, 0)).isEqualTo(2);
        assertThat(tickets.take(3, 0)).isZero();
    }

    @Test
    void take_someGivenBack_givesThemOutAgain() {
        Tickets tickets = new Tickets(new Extent.Requests(3), 0);
        assertThat(tickets.take(3, 0)).isEqualTo(3);
        tickets.giveBack(2);
        assertThat(tickets.take(3, 0)).isEqualTo(2);
    }

    @Test
    void take_duration_endsWithItEvenWhereTheClockOverflows() {
        long begin = Long.MAX_VALUE - 5;
        Tickets tickets = new Tickets(new Extent.Lasting(Duration.ofNanos(10)), begin);
        assertThat(tickets.take(3, begin)).isEqualTo(3);
        assertThat(tickets.take(3, begin + 9)).isEqualTo(3);
        assertThat(tickets.isOver(begin + 9)).isFalse();
        assertThat(tickets.take(3, begin + 10)).isZero();
        assertThat(tickets.isOver(begin + 10)).isTrue();
    }
}
