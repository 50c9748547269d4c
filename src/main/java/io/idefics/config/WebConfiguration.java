package io.idefics.config;

import static org.springframework.web.reactive.function.server.RequestPredicates.methods;
import static org.springframework.web.reactive.function.server.RequestPredicates.path;

import io.idefics.admission.ConcurrencyLimiter;
import io.idefics.observability.RequestLog;
import io.idefics.service.CompletionService;
import io.idefics.web.AdmissionFilter;
import io.idefics.web.BodyReader;
import io.idefics.web.ErrorHandler;
import io.idefics.web.GenerationProperties;
import io.idefics.web.KeepAlive;
import io.idefics.web.NettyCustomizer;
import io.idefics.web.Replies;
import io.idefics.web.SecurityHeadersFilter;
import io.idefics.web.WebProperties;
import io.idefics.web.WireJson;
import io.idefics.web.openai.ChatCompletionHandler;
import io.idefics.web.openai.ChatRequestReader;
import io.idefics.web.openai.ModelsHandler;
import io.idefics.web.openai.OpenAiRoutes;
import io.idefics.web.openai.responses.ResponsesHandler;
import io.idefics.web.openai.responses.ResponsesRequestReader;
import io.idefics.web.openai.responses.ResponsesRoutes;
import java.net.URI;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.web.embedded.netty.NettyReactiveWebServerFactory;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.http.HttpMethod;
import org.springframework.web.reactive.function.server.RouterFunction;
import org.springframework.web.reactive.function.server.RouterFunctions;
import org.springframework.web.reactive.function.server.ServerResponse;
import reactor.core.scheduler.Schedulers;

/** Wires the HTTP interface. */
@Configuration(proxyBeanMethods = false)
@EnableConfigurationProperties({WebProperties.class, GenerationProperties.class})
public class WebConfiguration {

    @Bean
    WireJson wireJson(WebProperties properties) {
        return new WireJson(properties.maxBodyBytes());
    }

    @Bean
    RouterFunction<ServerResponse> openAiRoutes(
            CompletionService service,
            ConcurrencyLimiter limiter,
            WireJson json,
            WebProperties web,
            GenerationProperties generation) {
        ChatCompletionHandler chat = new ChatCompletionHandler(
                service,
                new BodyReader(web, json, Schedulers.parallel()),
                new ChatRequestReader(service, generation, web),
                new Replies(json, new KeepAlive(web.keepAliveInterval(), Schedulers.parallel())));
        return OpenAiRoutes.routes(chat, new ModelsHandler(service, json), new AdmissionFilter(limiter));
    }

    @Bean
    RouterFunction<ServerResponse> responsesRoutes(
            CompletionService service,
            ConcurrencyLimiter limiter,
            WireJson json,
            WebProperties web,
            GenerationProperties generation) {
        ResponsesHandler responses = new ResponsesHandler(
                service,
                new BodyReader(web, json, Schedulers.parallel()),
                new ResponsesRequestReader(service, generation, web),
                new Replies(json, new KeepAlive(web.keepAliveInterval(), Schedulers.parallel())),
                json);
        return ResponsesRoutes.routes(responses, new AdmissionFilter(limiter));
    }

    /** The root leads to the description of the API. */
    @Bean
    RouterFunction<ServerResponse> rootRoute() {
        return RouterFunctions.route()
                .route(
                        path("/").and(methods(HttpMethod.GET, HttpMethod.HEAD)),
                        request -> ServerResponse.temporaryRedirect(URI.create("swagger-ui.html"))
                                .build())
                .build();
    }

    @Bean
    ErrorHandler errorHandler(WireJson json) {
        return new ErrorHandler(json);
    }

    @Bean
    SecurityHeadersFilter securityHeadersFilter() {
        return new SecurityHeadersFilter();
    }

    @Bean
    RequestLog requestLog() {
        return new RequestLog();
    }

    @Bean
    WebServerFactoryCustomizer<NettyReactiveWebServerFactory> nettyCustomizer(WebProperties properties, WireJson json) {
        return factory -> factory.addServerCustomizers(new NettyCustomizer(properties, json));
    }
}
