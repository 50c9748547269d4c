package io.idefics.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.idefics.generation.ContentPart.ImageRef;
import io.idefics.generation.GenerationException;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioDatagramChannel;
import io.netty.handler.codec.dns.DatagramDnsQuery;
import io.netty.handler.codec.dns.DatagramDnsQueryDecoder;
import io.netty.handler.codec.dns.DatagramDnsResponse;
import io.netty.handler.codec.dns.DatagramDnsResponseEncoder;
import io.netty.handler.codec.dns.DefaultDnsQuestion;
import io.netty.handler.codec.dns.DefaultDnsRawRecord;
import io.netty.handler.codec.dns.DnsQuestion;
import io.netty.handler.codec.dns.DnsRecordType;
import io.netty.handler.codec.dns.DnsResponseCode;
import io.netty.handler.codec.dns.DnsSection;
import io.netty.resolver.dns.DnsServerAddresses;
import io.netty.util.NetUtil;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Lookups as the service does them, at a name server on the loopback that does what name servers can do wrong. */
class NetworkTest {

    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final NioEventLoopGroup loop = new NioEventLoopGroup(1);
    private final Queue<String> questions = new ConcurrentLinkedQueue<>();
    private final Queue<SocketAddress> dialled = new ConcurrentLinkedQueue<>();

    private Channel server;

    @BeforeEach
    void start() {
        server = new Bootstrap()
                .group(loop)
                .channel(NioDatagramChannel.class)
                .handler(new ChannelInitializer<NioDatagramChannel>() {
                    @Override
                    protected void initChannel(NioDatagramChannel channel) {
                        channel.pipeline()
                                .addLast(
                                        new DatagramDnsQueryDecoder(), new DatagramDnsResponseEncoder(), new Answers());
                    }
                })
                .bind("127.0.0.1", 0)
                .syncUninterruptibly()
                .channel();
    }

    @AfterEach
    void stop() {
        server.close().syncUninterruptibly();
        loop.shutdownGracefully(0, 0, TimeUnit.SECONDS);
    }

    /** What a name is called says what is answered. */
    private final class Answers extends SimpleChannelInboundHandler<DatagramDnsQuery> {

        @Override
        protected void channelRead0(ChannelHandlerContext context, DatagramDnsQuery query) {
            DnsQuestion question = query.recordAt(DnsSection.QUESTION);
            String name = question.name();
            questions.add(name);
            if (name.startsWith("silent.")) {
                return;
            }
            DatagramDnsResponse response = new DatagramDnsResponse(query.recipient(), query.sender(), query.id());
            response.addRecord(DnsSection.QUESTION, new DefaultDnsQuestion(name, question.type()));
            if (name.startsWith("unknown.")) {
                response.setCode(DnsResponseCode.NXDOMAIN);
            } else if (name.startsWith("broken.")) {
                response.setCode(DnsResponseCode.SERVFAIL);
            } else if (name.startsWith("loop.")) {
                record(response, name, DnsRecordType.CNAME, wire("loop.bad.test"));
            } else if (question.type().equals(DnsRecordType.A)) {
                if (name.startsWith("many.")) {
                    for (int i = 1; i <= 100; i++) {
                        record(response, name, DnsRecordType.A, address("93.184.216." + i));
                    }
                } else if (name.startsWith("mixed.")) {
                    record(response, name, DnsRecordType.A, address("93.184.216.34"));
                    record(response, name, DnsRecordType.A, address("10.0.0.1"));
                } else {
                    // the first answer is public, all others are not
                    boolean isFirst = questions.stream().filter(name::equals).count() == 1;
                    record(response, name, DnsRecordType.A, address(isFirst ? "93.184.216.34" : "127.0.0.1"));
                }
            }
            context.writeAndFlush(response);
        }

        private void record(DatagramDnsResponse response, String name, DnsRecordType type, byte[] content) {
            ByteBuf bytes = Unpooled.wrappedBuffer(content);
            response.addRecord(DnsSection.ANSWER, new DefaultDnsRawRecord(name, type, 0, bytes));
        }

        private byte[] address(String text) {
            return NetUtil.createByteArrayFromIpAddressString(text);
        }

        private byte[] wire(String name) {
            ByteBuf bytes = Unpooled.buffer();
            for (String label : name.split("\\.")) {
                bytes.writeByte(label.length()).writeBytes(label.getBytes(StandardCharsets.US_ASCII));
            }
            byte[] wire = new byte[bytes.writeByte(0).readableBytes()];
            bytes.readBytes(wire);
            return wire;
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"unknown.bad.test", "broken.bad.test", "loop.bad.test", "silent.bad.test", "mixed.bad.test"})
    void fetch_nameWithoutASoundAnswer_isRefusedInTime(String name) {
        long start = System.nanoTime();

        assertThatExceptionOfType(GenerationException.class)
                .isThrownBy(() -> fetch(name))
                .withMessageStartingWith("the image could not be fetched: its host is unknown, not reachable")
                .matches(error -> !error.getMessage().contains("bad.test"));

        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Network.LOOKUP_TIMEOUT.plusSeconds(3));
        assertThat(dialled).isEmpty();
        assertThat(questions).isNotEmpty();
    }

    @Test
    void fetch_manyAddresses_triesFewOfThem() {
        assertThatExceptionOfType(GenerationException.class).isThrownBy(() -> fetch("many.good.test"));

        assertThat(dialled).hasSizeBetween(1, 4);
    }

    @Test
    void fetch_nameThatChanges_isLookedUpOnceForAConnection() {
        assertThatExceptionOfType(GenerationException.class).isThrownBy(() -> fetch("rebinding.good.test"));

        assertThat(dialled).containsExactly(new InetSocketAddress("93.184.216.34", 80));
    }

    @Test
    void lookupTimeout_isFiveSecondsAtMost() {
        assertThat(Network.ofSystem().lookupTimeout()).isLessThanOrEqualTo(Duration.ofSeconds(5));
    }

    /** Fetches from a network where names are known and nothing is reachable. */
    private void fetch(String name) {
        Network real =
                Network.of(host -> DnsServerAddresses.singleton((InetSocketAddress) server.localAddress()).stream());
        Network noting = new Network(
                real.names(),
                real.lookupTimeout(),
                addresses -> {
                    dialled.addAll(addresses);
                    return new ArrayList<>(List.of());
                },
                null);
        new ImageFetcher(ImagePropertiesTest.bind(Map.of()), "1", new SimpleMeterRegistry(), noting)
                .fetch(new ImageRef("http://" + name + "/a.png", "url"))
                .block(PATIENCE);
    }
}
