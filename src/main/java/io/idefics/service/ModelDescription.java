package io.idefics.service;

import io.idefics.checkpoint.IdeficsConfig;
import io.idefics.checkpoint.IdeficsParameters;
import io.idefics.checkpoint.PublishedModel;
import io.idefics.model.ComputeType;
import io.idefics.service.ModelsProperties.ModelProperties;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What clients may know of a served model.
 *
 * @param id the name by which requests ask for it
 * @param created when it was loaded, in seconds since the epoch
 * @param contextLength the most tokens of prompt and answer together
 * @param name a name for people
 * @param description what it is, in a sentence; null where nobody has said it
 * @param instruct whether it was trained to converse, rather than only to go on from texts
 * @param parameters how many it has; null where that is not known
 * @param dtype the type in which matrices are multiplied, float32 or bfloat16
 * @param quantization in how many bits matrices are kept: none, int8 or int4
 * @param license the licence of its weights; null where that is not known
 * @param modelCard the address of the page that describes it; null where there is none
 * @param fingerprint the same for answers that were computed alike, as in {@code fp_0123456789}
 */
public record ModelDescription(
        String id,
        long created,
        int contextLength,
        String name,
        @Nullable String description,
        boolean instruct,
        @Nullable Long parameters,
        String dtype,
        String quantization,
        @Nullable License license,
        @Nullable String modelCard,
        String fingerprint) {

    private static final int FINGERPRINT_DIGITS = 10;

    /**
     * The licence of weights.
     *
     * @param id its name in the SPDX list, or what the licence is called
     * @param terms what it comes to; null where nothing more is said
     * @param url where it can be read; null where that is not known
     */
    public record License(String id, @Nullable String terms, @Nullable String url) {

        private static final String PUBLISHED_TERMS = "The weights are built on LLaMA, which is released for"
                + " non-commercial research only; those that were added are under the MIT licence. The model card"
                + " tells the terms.";

        /** What the page of a published model says. */
        static License published(String modelCard) {
            return new License("other", PUBLISHED_TERMS, modelCard + "#license");
        }
    }

    /** An instruct model in float32 of which nothing more is known. */
    public ModelDescription(String id, long created, int contextLength) {
        this(
                id,
                created,
                contextLength,
                id,
                null,
                true,
                null,
                "float32",
                "none",
                null,
                null,
                fingerprint(id, "float32", "none", ""));
    }

    /**
     * A model as its checkpoint and its settings describe it. Settings go before what is known of the published models.
     *
     * @param version the version of this program
     */
    static ModelDescription of(
            ModelProperties properties,
            IdeficsConfig config,
            boolean instruct,
            ComputeType type,
            long created,
            String version) {
        Integer limit = properties.maxContextLength();
        String dtype = lower(type);
        String quantization = lower(properties.quantization());
        PublishedModel published = config.recognisedAs();
        return new ModelDescription(
                properties.modelId(),
                created,
                limit == null ? config.contextLength() : limit,
                config.architectureName(),
                properties.description(),
                instruct,
                IdeficsParameters.count(config),
                dtype,
                quantization,
                license(properties, published),
                modelCard(properties, published),
                fingerprint(properties.modelId(), dtype, quantization, version));
    }

    private static @Nullable License license(ModelProperties properties, @Nullable PublishedModel published) {
        String license = properties.license();
        if (license != null) {
            return new License(license, null, properties.licenseUrl());
        }
        return published == null ? null : License.published(published.modelCard());
    }

    private static @Nullable String modelCard(ModelProperties properties, @Nullable PublishedModel published) {
        String card = properties.modelCard();
        return card != null || published == null ? card : published.modelCard();
    }

    private static String fingerprint(String id, String dtype, String quantization, String version) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256")
                    .digest(String.join("\n", id, dtype, quantization, version).getBytes(StandardCharsets.UTF_8));
            return "fp_" + HexFormat.of().formatHex(digest).substring(0, FINGERPRINT_DIGITS);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    private static String lower(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
