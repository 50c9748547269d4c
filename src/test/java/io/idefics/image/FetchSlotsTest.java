package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.image.FetchSlots.Slot;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FetchSlotsTest {

    private final FetchSlots slots = new FetchSlots("test", 3);
    private final List<String> granted = new ArrayList<>();

    @Test
    void take_oneClient_isServedInTurn() {
        List<Slot> all = List.of(take("a", 1), take("a", 2), take("a", 3), take("a", 4), take("a", 5));
        assertThat(granted).containsExactly("a1", "a2", "a3");

        all.get(1).close();
        assertThat(granted).containsExactly("a1", "a2", "a3", "a4");
        all.forEach(Slot::close);

        assertThat(granted).hasSize(5);
        assertThat(slots.free()).isEqualTo(3);
    }

    @Test
    void close_severalClientsWait_goesToTheOneWithTheFewestSlots() {
        List<Slot> first = List.of(take("a", 1), take("a", 2), take("a", 3));
        Slot fourth = take("a", 4);
        Slot other = take("b", 1);
        Slot second = take("b", 2);
        Slot third = take("c", 1);
        granted.clear();

        first.forEach(Slot::close);
        assertThat(granted).containsExactly("b1", "c1", "a4");

        other.close();
        assertThat(granted).containsExactly("b1", "c1", "a4", "b2");
        List.of(fourth, second, third).forEach(Slot::close);
        assertThat(slots.free()).isEqualTo(3);
    }

    @Test
    void close_waitingOrTwice_takesNothingFromOthers() {
        List<Slot> first = List.of(take("a", 1), take("a", 2), take("a", 3));
        Slot gone = take("b", 1);
        gone.close();
        gone.close();

        first.get(0).close();
        first.get(0).close();

        assertThat(granted).containsExactly("a1", "a2", "a3");
        assertThat(slots.free()).isEqualTo(1);
    }

    private Slot take(String client, int number) {
        Slot slot = slots.take(client);
        slot.granted().subscribe(none -> {}, failure -> {}, () -> granted.add(client + number));
        return slot;
    }
}
