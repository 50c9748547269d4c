package io.idefics.testing;

import io.idefics.engine.EngineProperties;
import io.idefics.engine.PoolProperties;
import io.idefics.service.ModelsProperties.ModelProperties;
import io.idefics.web.WebProperties;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;

/** Settings with the defaults that users get, and changes such as {@code max-waiting-sequences=8}. */
public final class Settings {

    private Settings() {}

    public static EngineProperties engine(String... changes) {
        return bind("idefics.engine", EngineProperties.class, List.of(changes));
    }

    public static PoolProperties pool(String... changes) {
        return bind("idefics.pool", PoolProperties.class, List.of(changes));
    }

    public static WebProperties web(String... changes) {
        return bind("idefics.web", WebProperties.class, List.of(changes));
    }

    public static ModelProperties model(Path path, String... changes) {
        List<String> all = new ArrayList<>(Arrays.asList(changes));
        all.add("path=" + path);
        return bind("idefics.model", ModelProperties.class, all);
    }

    private static <T> T bind(String prefix, Class<T> type, List<String> changes) {
        Map<String, String> properties = changes.stream()
                .map(change -> change.split("=", 2))
                .collect(Collectors.toMap(change -> prefix + "." + change[0], change -> change[1]));
        return new Binder(new MapConfigurationPropertySource(properties)).bindOrCreate(prefix, type);
    }
}
