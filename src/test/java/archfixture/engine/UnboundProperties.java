package archfixture.engine;

import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.util.MultiValueMap;

/** Breaks the rule that configuration properties use only Spring's binding. */
@ConfigurationProperties("archfixture")
class UnboundProperties {

    MultiValueMap<String, String> headers;
}
