package io.idefics.service;

import jakarta.validation.Valid;
import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.validation.annotation.Validated;

/**
 * The models to serve.
 *
 * @param models the models; without any, the built-in one is served
 */
@Validated
@ConfigurationProperties("idefics")
public record ModelsProperties(@DefaultValue @Valid List<ModelProperties> models) {

    public ModelsProperties {
        models = List.copyOf(models);
        List<String> ids = models.stream().map(ModelProperties::modelId).toList();
        if (ids.stream().distinct().count() < ids.size()) {
            throw new IllegalArgumentException("idefics.models has two models of the same id: " + ids);
        }
    }
}
