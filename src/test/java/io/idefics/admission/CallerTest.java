package io.idefics.admission;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CallerTest {

    @ParameterizedTest
    @CsvSource({
        "192.0.2.7, address:192.0.2.7",
        "::ffff:192.0.2.7, address:192.0.2.7",
        "2001:db8:1:2:3:4:5:6, address:2001:db8:1:2:0:0:0:0/64",
        "2001:db8:1:2::1, address:2001:db8:1:2:0:0:0:0/64",
        "2001:db8:1:3::1, address:2001:db8:1:3:0:0:0:0/64",
        "fe80::1%1, address:fe80:0:0:0:0:0:0:0/64"
    })
    void at_address_isNamedByWhatOneHostHas(String address, String name) throws UnknownHostException {
        assertThat(Caller.at(InetAddress.getByName(address), Set.of()).name()).isEqualTo(name);
    }

    @Test
    void at_noAddress_isUnknown() {
        assertThat(Caller.at(null, Set.of()).name()).isEqualTo("address:unknown");
        assertThat(Caller.at(null, Set.of()).anonymous()).isTrue();
    }
}
