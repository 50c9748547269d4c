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

    private final AddressPolicy policy = new AddressPolicy(List.of(), List.of());

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
        assertThat(policy.allows(address(address), false)).isTrue();
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
        assertThat(policy.allows(address(address), false)).isFalse();
    }

    @Test
    void allows_exception_isTrueForItsBlockOnly() {
        AddressPolicy excepting = new AddressPolicy(List.of("10.1.2.0/23", "127.0.0.9", "fd00:1::/32"), List.of());

        assertThat(excepting.allows(address("10.1.3.255"), false)).isTrue();
        assertThat(excepting.allows(address("::ffff:10.1.2.1"), false)).isTrue();
        assertThat(excepting.allows(address("127.0.0.9"), false)).isTrue();
        assertThat(excepting.allows(address("fd00:1:2::3"), false)).isTrue();
        assertThat(excepting.allows(address("10.1.4.0"), false)).isFalse();
        assertThat(excepting.allows(address("10.1.1.255"), false)).isFalse();
        assertThat(excepting.allows(address("127.0.0.1"), false)).isFalse();
        assertThat(excepting.allows(address("fd00:2::1"), false)).isFalse();
        assertThat(excepting.allows(address("8.8.8.8"), false)).isTrue();
    }

    @Test
    void allows_denied_isFalseWhateverElseIsSaid() {
        AddressPolicy denying = new AddressPolicy(List.of("10.0.0.0/8"), List.of("10.1.0.0/16", "8.8.8.8"));

        assertThat(denying.allows(address("10.2.0.1"), false)).isTrue();
        assertThat(denying.allows(address("10.1.0.1"), true)).isFalse();
        assertThat(denying.allows(address("::ffff:10.1.0.1"), true)).isFalse();
        assertThat(denying.allows(address("8.8.8.8"), true)).isFalse();
        assertThat(denying.allows(address("8.8.4.4"), false)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"10.0.0.1", "172.31.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "::1", "fd00::1", "8.8.8.8"})
    void allows_privateAddressOfATrustedHost_isTrue(String address) {
        assertThat(policy.allows(address(address), true)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "169.254.169.254",
                "::ffff:169.254.169.254",
                "169.254.170.2",
                "169.254.1.1",
                "100.100.100.200",
                "168.63.129.16",
                "192.0.0.192",
                "fd00:ec2::254",
                "fd20:ce::254",
                "fe80::1",
                "0.0.0.0",
                "::",
                "224.0.0.1",
                "255.255.255.255",
                "64:ff9b::7f00:1",
                "2002:a00:1::1"
            })
    void allows_addressThatNoHostIsTrustedWith_isFalse(String address) {
        assertThat(policy.allows(address(address), true)).isFalse();
    }

    @Test
    void allows_metadataAddress_needsAnExceptionOfItsOwn() {
        AddressPolicy wide = new AddressPolicy(List.of("0.0.0.0/0", "::/0"), List.of());
        AddressPolicy exact = new AddressPolicy(List.of("169.254.169.254", "fd00:ec2::254/128"), List.of());

        assertThat(wide.allows(address("169.254.1.1"), false)).isTrue();
        assertThat(wide.allows(address("169.254.169.254"), true)).isFalse();
        assertThat(wide.allows(address("100.100.100.200"), true)).isFalse();
        assertThat(wide.allows(address("fd00:ec2::254"), true)).isFalse();
        assertThat(exact.allows(address("169.254.169.254"), false)).isTrue();
        assertThat(exact.allows(address("fd00:ec2::254"), false)).isTrue();
        assertThat(exact.allows(address("fd00:ec2::23"), false)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "localhost", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/x", "fe80::/129", "example.com/8"})
    void create_malformedException_isRefused(String block) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AddressPolicy(List.of(block), List.of()))
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
