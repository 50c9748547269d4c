package io.idefics.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.networknt.schema.ExecutionContext;
import com.networknt.schema.Format;
import com.networknt.schema.JsonMetaSchema;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SchemaValidatorsConfig;
import com.networknt.schema.SpecVersion.VersionFlag;
import com.networknt.schema.ValidationMessage;
import java.io.UncheckedIOException;
import java.util.Set;

/** Parses answers and validates them with a validator that is not ours. */
final class Validation {

    private static final ObjectMapper JSON = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private static final JsonSchemaFactory FACTORY = JsonSchemaFactory.getInstance(
            VersionFlag.V202012,
            builder -> builder.metaSchema(JsonMetaSchema.builder(JsonMetaSchema.getV202012())
                    .format(new Email())
                    .build()));

    private final JsonSchema schema;
    private final JsonNode source;

    Validation(JsonNode source) {
        this.source = source;
        SchemaValidatorsConfig config = SchemaValidatorsConfig.builder()
                .formatAssertionsEnabled(true)
                .typeLoose(false)
                .build();
        this.schema = FACTORY.getSchema(source, config);
    }

    static JsonNode parse(String json) {
        try {
            return JSON.readTree(json);
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Whether a text is JSON that satisfies the schema. */
    boolean accepts(String answer) {
        return schema.validate(parse(answer)).isEmpty();
    }

    /** Fails unless a text is JSON that satisfies the schema. */
    void check(String answer, String description) {
        JsonNode value;
        try {
            value = JSON.readTree(answer);
        } catch (JsonProcessingException e) {
            fail("%s: not JSON: %s for %s: %s", description, answer, source, e.getMessage());
            return;
        }
        Set<ValidationMessage> messages = schema.validate(value);
        assertThat(messages).as("%s: %s for %s", description, answer, source).isEmpty();
    }

    /** Addresses as RFC 5321 has them: the validator's own format also knows all top-level domains. */
    private static final class Email implements Format {

        @Override
        public boolean matches(ExecutionContext context, String value) {
            int at = value.indexOf('@');
            return value.matches("[\\w+-]+(\\.[\\w+-]+)*@([A-Za-z0-9]+(-[A-Za-z0-9]+)*\\.)+[A-Za-z]{2,63}")
                    && at <= 64
                    && value.length() - at <= 256;
        }

        @Override
        public String getName() {
            return "email";
        }
    }
}
