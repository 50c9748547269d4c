package io.idefics.config;

import io.idefics.admission.InvalidAccessException;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.bind.BindException;
import org.springframework.boot.context.properties.bind.UnboundConfigurationPropertiesException;
import org.springframework.boot.context.properties.bind.validation.BindValidationException;
import org.springframework.boot.context.properties.source.ConfigurationProperty;
import org.springframework.boot.context.properties.source.ConfigurationPropertyName;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.boot.diagnostics.FailureAnalyzer;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;

/** Tells in one line what is wrong with the access that is configured. Boot's own analyzers would quote keys. */
@Order(Ordered.HIGHEST_PRECEDENCE)
final class AccessFailureAnalyzer implements FailureAnalyzer {

    private static final ConfigurationPropertyName ACCESS = ConfigurationPropertyName.of("idefics.access");

    @Override
    public @Nullable FailureAnalysis analyze(Throwable failure) {
        InvalidAccessException invalid = cause(failure, InvalidAccessException.class);
        if (invalid != null) {
            return new FailureAnalysis(invalid.getMessage(), "", failure);
        }
        BindException unbound = cause(failure, BindException.class);
        if (unbound == null
                || !(ACCESS.equals(unbound.getName()) || ACCESS.isAncestorOf(unbound.getName()))
                || cause(unbound, BindValidationException.class) != null) {
            return null;
        }
        return new FailureAnalysis("The configuration is wrong: " + describe(unbound) + ".", "", failure);
    }

    /** What is wrong with a property; values of unknown ones are not quoted, as they may be keys. */
    static String describe(BindException failure) {
        UnboundConfigurationPropertiesException unknown = cause(failure, UnboundConfigurationPropertiesException.class);
        if (unknown != null) {
            return "there is no property "
                    + unknown.getUnboundProperties().stream()
                            .map(property -> property.getName().toString())
                            .collect(Collectors.joining(", "));
        }
        ConfigurationProperty property = failure.getProperty();
        Class<?> type = failure.getTarget().getType().resolve(Object.class);
        // In place of a list may stand a key.
        boolean shown = property != null && !Iterable.class.isAssignableFrom(type);
        String value = shown ? "'" + property.getValue() + "' " : "malformed ";
        return failure.getName() + " is " + value + "but must be of the type "
                + type.getSimpleName().toLowerCase(Locale.ROOT);
    }

    private static <T extends Throwable> @Nullable T cause(Throwable failure, Class<T> type) {
        for (Throwable at = failure; at != null; at = at.getCause()) {
            if (type.isInstance(at)) {
                return type.cast(at);
            }
        }
        return null;
    }
}
