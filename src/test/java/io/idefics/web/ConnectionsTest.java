package io.idefics.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.idefics.web.Connections.Drop;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.channel.Channel;
import io.netty.channel.embedded.EmbeddedChannel;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import org.junit.jupiter.api.Test;

class ConnectionsTest {

    @Test
    void add_beyondTheMost_closesTheOneWithoutRequestForLongest() {
        Connections connections = new Connections(3, 0);
        Channel busy = added(connections, "192.0.2.1");
        Channel recent = added(connections, "192.0.2.1");
        Channel idle = added(connections, "192.0.2.1");
        connections.occupy(busy);
        connections.occupy(recent);
        connections.vacate(recent);

        Channel further = added(connections, "192.0.2.1");

        assertThat(idle.isOpen()).isFalse();
        assertThat(busy.isOpen()).isTrue();
        assertThat(recent.isOpen()).isTrue();
        assertThat(further.isOpen()).isTrue();
        assertThat(connections.open()).isEqualTo(3);
        assertThat(connections.dropped(Drop.DISPLACED)).isEqualTo(1);
    }

    @Test
    void add_allHaveRequests_isRefusedUntilOneCloses() {
        Connections connections = new Connections(1, 0);
        Channel busy = added(connections, "192.0.2.1");
        connections.occupy(busy);

        assertThat(connections.add(channel("192.0.2.2"))).isFalse();
        assertThat(connections.dropped(Drop.TOO_MANY)).isEqualTo(1);

        busy.close();
        assertThat(connections.add(channel("192.0.2.2"))).isTrue();
    }

    @Test
    void add_moreOfOneAddress_isRefusedAndOthersAreNot() {
        Connections connections = new Connections(10, 2);
        Channel first = added(connections, "192.0.2.1");
        added(connections, "192.0.2.1");
        added(connections, "2001:db8:0:1::1");
        added(connections, "2001:db8:0:1:ffff::2");

        assertThat(connections.add(channel("192.0.2.1"))).isFalse();
        assertThat(connections.add(channel("2001:db8:0:1::3"))).isFalse();
        assertThat(connections.add(channel("2001:db8:0:2::1"))).isTrue();
        assertThat(connections.dropped(Drop.ADDRESS)).isEqualTo(2);

        first.close();
        assertThat(connections.add(channel("192.0.2.1"))).isTrue();
    }

    @Test
    void meters_bound_showConnectionsAndReasons() {
        Connections connections = new Connections(1, 0);
        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        connections.bindTo(registry);
        added(connections, "192.0.2.1");
        added(connections, "192.0.2.1");

        assertThat(registry.get("idefics.connections").gauge().value()).isEqualTo(1);
        assertThat(registry.get("idefics.connections.vacant").gauge().value()).isEqualTo(1);
        assertThat(registry.get("idefics.connections.dropped")
                        .tag("reason", "displaced")
                        .functionCounter()
                        .count())
                .isEqualTo(1);
    }

    private static Channel added(Connections connections, String address) {
        Channel channel = channel(address);
        assertThat(connections.add(channel)).isTrue();
        return channel;
    }

    private static Channel channel(String address) {
        return new EmbeddedChannel() {
            @Override
            protected SocketAddress remoteAddress0() {
                return new InetSocketAddress(address, 1);
            }
        };
    }
}
