package io.idefics.config;

import com.sun.management.UnixOperatingSystemMXBean;
import io.idefics.admission.AdmissionProperties;
import io.idefics.admission.ConcurrencyLimiter;
import io.idefics.admission.Limits;
import io.idefics.observability.RequestLog;
import io.idefics.service.CompletionService;
import io.idefics.web.AdmissionFilter;
import io.idefics.web.BodyReader;
import io.idefics.web.ConnectionProperties;
import io.idefics.web.Connections;
import io.idefics.web.CorsProperties;
import io.idefics.web.CorsRefusal;
import io.idefics.web.DialectFilter;
import io.idefics.web.ErrorHandler;
import io.idefics.web.GenerationProperties;
import io.idefics.web.KeepAlive;
import io.idefics.web.LimitsFilter;
import io.idefics.web.NettyCustomizer;
import io.idefics.web.Replies;
import io.idefics.web.RootPage;
import io.idefics.web.SecurityHeadersFilter;
import io.idefics.web.WebProperties;
import io.idefics.web.WireJson;
import io.idefics.web.anthropic.MessagesHandler;
import io.idefics.web.anthropic.MessagesRequestReader;
import io.idefics.web.anthropic.MessagesRoutes;
import io.idefics.web.openai.ChatCompletionHandler;
import io.idefics.web.openai.ChatRequestReader;
import io.idefics.web.openai.ClassificationHandler;
import io.idefics.web.openai.ClassificationReader;
import io.idefics.web.openai.ModelsHandler;
import io.idefics.web.openai.OpenAiRoutes;
import io.idefics.web.openai.TextCompletionHandler;
import io.idefics.web.openai.TextRequestReader;
import io.idefics.web.openai.TokenRequestReader;
import io.idefics.web.openai.TokensHandler;
import io.idefics.web.openai.TokensRoutes;
import io.idefics.web.openai.responses.ResponsesHandler;
import io.idefics.web.openai.responses.ResponsesRequestReader;
import io.idefics.web.openai.responses.ResponsesRoutes;
import io.idefics.web.tgi.GenerateHandler;
import io.idefics.web.tgi.GenerateRequestReader;
import io.idefics.web.tgi.InfoHandler;
import io.idefics.web.tgi.TgiRoutes;
import io.idefics.web.tgi.TgiTokenizeHandler;
import java.lang.management.ManagementFactory;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.info.BuildProperties;
import org.springframework.boot.web.embedded.netty.NettyReactiveWebServerFactory;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.web.cors.CorsConfiguration;
import org.springframework.web.cors.reactive.CorsWebFilter;
import org.springframework.web.reactive.function.server.RouterFunction;
import org.springframework.web.reactive.function.server.ServerResponse;
import reactor.core.scheduler.Schedulers;

/** Wires the HTTP interface. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties({
    WebProperties.class,
    ConnectionProperties.class,
    CorsProperties.class,
    GenerationProperties.class
})
public class WebConfiguration {

    private static final Logger log = LoggerFactory.getLogger(WebConfiguration.class);

    /** The share of open files that is kept for pictures, models, logs, and connections that give way to others. */
    private static final int RESERVED_FILES_SHARE = 8;

    private static final int MIN_RESERVED_FILES = 32;

    /** What a page may read of an answer besides its body. */
    private static final List<String> EXPOSED_HEADERS = List.of(
            "x-request-id",
            "openai-processing-ms",
            "retry-after",
            "x-should-retry",
            "x-ratelimit-limit-requests",
            "x-ratelimit-remaining-requests",
            "x-ratelimit-reset-requests",
            "x-ratelimit-limit-tokens",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset-tokens",
            "x-ratelimit-limit-pictures",
            "x-ratelimit-remaining-pictures",
            "x-ratelimit-reset-pictures");

    @Bean
    WireJson wireJson(WebProperties properties) {
        return new WireJson(properties.maxBodyBytes());
    }

    @Bean
    BodyReader bodyReader(WebProperties web, ConnectionProperties connections, WireJson json) {
        return new BodyReader(web, connections.minBodyRate().toBytes(), json, Schedulers.parallel());
    }

    @Bean
    Replies replies(WebProperties web, WireJson json) {
        return new Replies(json, new KeepAlive(web.keepAliveInterval(), Schedulers.parallel()));
    }

    @Bean
    LimitsFilter limitsFilter(Limits limits) {
        return new LimitsFilter(limits, Schedulers.parallel());
    }

    @Bean
    AdmissionFilter admissionFilter(ConcurrencyLimiter limiter) {
        return new AdmissionFilter(limiter);
    }

    @Bean
    ChatRequestReader chatRequestReader(CompletionService service, GenerationProperties generation, WebProperties web) {
        return new ChatRequestReader(service, generation, web);
    }

    @Bean
    RouterFunction<ServerResponse> openAiRoutes(
            CompletionService service,
            BodyReader bodies,
            ChatRequestReader chats,
            Replies replies,
            AdmissionFilter admission,
            WireJson json,
            WebProperties web,
            GenerationProperties generation) {
        return OpenAiRoutes.routes(
                new ChatCompletionHandler(service, bodies, chats, replies),
                new TextCompletionHandler(service, bodies, new TextRequestReader(service, generation, web), replies),
                new ClassificationHandler(service, bodies, new ClassificationReader(service, web), replies),
                new ModelsHandler(service, json, web, generation),
                admission);
    }

    @Bean
    RouterFunction<ServerResponse> responsesRoutes(
            CompletionService service,
            BodyReader bodies,
            Replies replies,
            AdmissionFilter admission,
            WireJson json,
            WebProperties web,
            GenerationProperties generation) {
        ResponsesHandler responses = new ResponsesHandler(
                service, bodies, new ResponsesRequestReader(service, generation, web), replies, json);
        return ResponsesRoutes.routes(responses, admission);
    }

    @Bean
    RouterFunction<ServerResponse> messagesRoutes(
            CompletionService service,
            BodyReader bodies,
            Replies replies,
            AdmissionFilter admission,
            WebProperties web,
            GenerationProperties generation) {
        MessagesRequestReader requests = new MessagesRequestReader(service, generation, web);
        return MessagesRoutes.routes(new MessagesHandler(service, bodies, requests, replies), admission);
    }

    @Bean
    RouterFunction<ServerResponse> tokensRoutes(
            CompletionService service,
            BodyReader bodies,
            ChatRequestReader chats,
            Replies replies,
            AdmissionFilter admission,
            TgiTokenizeHandler tgi,
            WebProperties web) {
        TokensHandler tokens =
                new TokensHandler(service, bodies, new TokenRequestReader(service, chats, web), replies, tgi::tokenize);
        return TokensRoutes.routes(tokens, admission);
    }

    @Bean
    GenerateRequestReader generateRequestReader(
            CompletionService service, GenerationProperties generation, WebProperties web) {
        return new GenerateRequestReader(service, generation, web);
    }

    @Bean
    TgiTokenizeHandler tgiTokenizeHandler(
            CompletionService service,
            BodyReader bodies,
            GenerateRequestReader requests,
            ChatRequestReader chats,
            Replies replies) {
        return new TgiTokenizeHandler(service, bodies, requests, chats, replies);
    }

    @Bean
    RouterFunction<ServerResponse> tgiRoutes(
            CompletionService service,
            BodyReader bodies,
            GenerateRequestReader requests,
            TgiTokenizeHandler tokens,
            Replies replies,
            AdmissionFilter admission,
            AdmissionProperties limits,
            GenerationProperties generation,
            WireJson json,
            ObjectProvider<BuildProperties> build) {
        BuildProperties info = build.getIfAvailable();
        InfoHandler about = new InfoHandler(
                service,
                replies,
                json,
                new InfoHandler.Limits(
                        info == null ? null : info.getVersion(),
                        limits.maxConcurrentRequests(),
                        generation.maxChoices(),
                        generation.maxPrompts(),
                        ModelConfiguration.preparationThreads()));
        return TgiRoutes.routes(new GenerateHandler(service, bodies, requests, replies), tokens, about, admission);
    }

    /** The root leads browsers to the description of the API. */
    @Bean
    @Order(Ordered.HIGHEST_PRECEDENCE)
    @ConditionalOnProperty(name = "springdoc.use-management-port", havingValue = "false", matchIfMissing = true)
    RouterFunction<ServerResponse> rootRoute() {
        return RootPage.route();
    }

    @Bean
    DialectFilter dialectFilter() {
        return new DialectFilter(MessagesRoutes.DIALECT, TgiRoutes.DIALECT);
    }

    @Bean
    ErrorHandler errorHandler(WireJson json) {
        return new ErrorHandler(json);
    }

    @Bean
    SecurityHeadersFilter securityHeadersFilter() {
        return new SecurityHeadersFilter();
    }

    /** Stands before whatever asks for a key, as browsers ask for leave without one. */
    @Bean
    @Order(Ordered.HIGHEST_PRECEDENCE + 1)
    CorsWebFilter corsFilter(CorsProperties properties) {
        CorsConfiguration cors = new CorsConfiguration();
        cors.setAllowedOrigins(properties.allowedOrigins());
        cors.setAllowedMethods(List.of("GET", "HEAD", "POST"));
        // OpenAI's client sends a dozen of its own (X-Stainless-...), and their names change.
        cors.setAllowedHeaders(List.of(CorsConfiguration.ALL));
        cors.setExposedHeaders(EXPOSED_HEADERS);
        cors.setMaxAge(properties.maxAge());
        return new CorsWebFilter(exchange -> properties.allowedOrigins().isEmpty() ? null : cors, new CorsRefusal());
    }

    @Bean
    RequestLog requestLog() {
        return new RequestLog();
    }

    /** Fewer connections than configured where the process may not open as many files. */
    @Bean
    Connections connections(ConnectionProperties properties) {
        int most = properties.maxConnections();
        if (ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean unix) {
            long files = unix.getMaxFileDescriptorCount();
            long reserved = Math.max(MIN_RESERVED_FILES, files / RESERVED_FILES_SHARE);
            long room = files - unix.getOpenFileDescriptorCount() - reserved;
            if (room < most) {
                most = (int) Math.max(1, room);
                log.info("The process may open {} files, so there are at most {} connections", files, most);
            }
        }
        return new Connections(most, properties.maxConnectionsPerAddress());
    }

    @Bean
    WebServerFactoryCustomizer<NettyReactiveWebServerFactory> nettyCustomizer(
            WebProperties web, ConnectionProperties properties, Connections connections, WireJson json) {
        return factory -> factory.addServerCustomizers(new NettyCustomizer(web, properties, connections, json));
    }
}
