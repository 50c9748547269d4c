package io.idefics.config;

import io.idefics.admission.AccessPolicy;
import io.idefics.admission.AccessProperties;
import io.idefics.admission.AccessRefusals;
import io.idefics.admission.ApiKey;
import io.idefics.admission.ApiKeys;
import io.idefics.admission.InvalidAccessException;
import io.idefics.web.AccessFilter;
import io.idefics.web.AccessRules;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.actuate.autoconfigure.endpoint.web.WebEndpointProperties;
import org.springframework.boot.autoconfigure.web.ServerProperties;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Wires the keys, and the filter that asks for them. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties(AccessProperties.class)
public class AccessConfiguration {

    /** A server without its own properties does not listen at all. */
    @Bean
    AccessPolicy accessPolicy(AccessProperties properties, ObjectProvider<ServerProperties> servers) {
        ServerProperties server = servers.getIfAvailable();
        InetAddress address = server == null ? InetAddress.getLoopbackAddress() : server.getAddress();
        return AccessPolicy.of(
                properties,
                address == null ? "all addresses" : address.getHostAddress(),
                address != null && address.isLoopbackAddress());
    }

    @Bean(destroyMethod = "close")
    KeyStore keyStore(AccessProperties properties) {
        return KeyStore.open(properties);
    }

    @Bean
    ApiKeys apiKeys(KeyStore store) {
        return store.keys();
    }

    @Bean
    AccessRefusals accessRefusals() {
        return new AccessRefusals();
    }

    @Bean
    AccessFilter accessFilter(
            AccessProperties properties,
            AccessPolicy policy,
            ApiKeys keys,
            AccessRefusals refusals,
            ObjectProvider<WebEndpointProperties> endpoints) {
        WebEndpointProperties actuator = endpoints.getIfAvailable();
        String path = actuator == null ? "/actuator" : actuator.getBasePath();
        if (path.isEmpty() || path.equals("/")) {
            throw new InvalidAccessException("management.endpoints.web.base-path is the root but must be"
                    + " another path: there endpoints cannot be told from the API.");
        }
        AccessRules rules = new AccessRules(path, properties.publicDocs(), properties.managementKeys());
        return new AccessFilter(rules, policy, keys, refusals);
    }

    /**
     * The keys, and what keeps them as they are in the file.
     *
     * @param reloader null where there is no file
     */
    record KeyStore(ApiKeys keys, @Nullable KeyReloader reloader) implements AutoCloseable {

        static KeyStore open(AccessProperties properties) {
            List<ApiKey> inline = properties.inlineKeys();
            String name = properties.keyFile();
            if (name == null) {
                return new KeyStore(new ApiKeys(inline), null);
            }
            KeyFile file = new KeyFile(name);
            byte[] content = file.read();
            List<ApiKey> all = new ArrayList<>(inline);
            all.addAll(file.parse(content));
            ApiKeys keys = new ApiKeys(all);
            KeyReloader reloader = new KeyReloader(file, inline, content, keys);
            reloader.start(properties.reloadInterval());
            return new KeyStore(keys, reloader);
        }

        @Override
        public void close() {
            if (reloader != null) {
                reloader.close();
            }
        }
    }
}
