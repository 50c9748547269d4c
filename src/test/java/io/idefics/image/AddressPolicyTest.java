package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.netty.util.NetUtil;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AddressPolicyTest {

    private final AddressPolicy policy = new AddressPolicy(List.of());

    @ParameterizedTest
    @ValueSource(
            strings = {
                "8.8.8.8",
                "1.0.0.1",
                "9.255.255.255",
                "11.0.0.1",
                "100.128.0.1",
                "172.15.255.255",
                "172.32.0.1",
                "192.0.3.1",
                "198.17.255.255",
                "203.0.112.1",
                "223.255.255.254",
                "::ffff:8.8.8.8",
                "2001:4860:4860::8888",
                "2003::1",
                "2400:cb00::1",
                "2a00:1450:4001:80e::200e"
            })
    void allows_publicAddress_isTrue(String address) {
        assertThat(policy.allows(address(address))).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0.0.0.0",
                "0.1.2.3",
                "10.0.0.1",
                "10.255.255.255",
                "100.64.0.1",
                "100.100.100.200",
                "127.0.0.1",
                "127.255.255.254",
                "168.63.129.16",
                "169.254.169.254",
                "172.16.0.1",
                "172.31.255.255",
                "192.0.0.1",
                "192.0.2.1",
                "192.88.99.1",
                "192.168.255.255",
                "198.18.0.1",
                "198.19.255.255",
                "198.51.100.1",
                "203.0.113.1",
                "224.0.0.1",
                "239.255.255.250",
                "240.0.0.1",
                "255.255.255.255",
                "::",
                "::1",
                "::ffff:127.0.0.1",
                "::ffff:169.254.169.254",
                "::ffff:10.0.0.1",
                "::808:808",
                "64:ff9b::7f00:1",
                "64:ff9b::808:808",
                "64:ff9b:1::7f00:1",
                "100::1",
                "2001:2::1",
                "2001:10::1",
                "2001:db8::1",
                "2002:c0a8:101::1",
                "3fff::1",
                "5f00::1",
                "fc00::1",
                "fd00:ec2::254",
                "fe80::1",
                "fec0::1",
                "ff02::1"
            })
    void allows_specialAddress_isFalse(String address) {
        assertThat(policy.allows(address(address))).isFalse();
    }

    @Test
    void allows_exception_isTrueForItsBlockOnly() {
        AddressPolicy excepting = new AddressPolicy(List.of("10.1.2.0/23", "127.0.0.9", "fd00:1::/32"));

        assertThat(excepting.allows(address("10.1.3.255"))).isTrue();
        assertThat(excepting.allows(address("::ffff:10.1.2.1"))).isTrue();
        assertThat(excepting.allows(address("127.0.0.9"))).isTrue();
        assertThat(excepting.allows(address("fd00:1:2::3"))).isTrue();
        assertThat(excepting.allows(address("10.1.4.0"))).isFalse();
        assertThat(excepting.allows(address("10.1.1.255"))).isFalse();
        assertThat(excepting.allows(address("127.0.0.1"))).isFalse();
        assertThat(excepting.allows(address("fd00:2::1"))).isFalse();
        assertThat(excepting.allows(address("8.8.8.8"))).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "localhost", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/x", "fe80::/129", "example.com/8"})
    void create_malformedException_isRefused(String block) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AddressPolicy(List.of(block)))
                .withMessage("\"" + block + "\" is not a CIDR block such as 10.1.2.0/24 or 2001:db8::/32");
    }

    /** An address the way Netty makes it, which keeps mapped addresses in IPv6. */
    private static InetAddress address(String text) {
        byte[] bytes = NetUtil.createByteArrayFromIpAddressString(text);
        try {
            return bytes.length == 4 ? InetAddress.getByAddress(bytes) : Inet6Address.getByAddress(null, bytes, -1);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException(e);
        }
    }
}
