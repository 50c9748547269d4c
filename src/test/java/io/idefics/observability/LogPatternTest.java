package io.idefics.observability;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.PatternLayout;
import ch.qos.logback.classic.spi.LoggingEvent;
import ch.qos.logback.classic.util.LogbackMDCAdapter;
import java.io.IOException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.env.YamlPropertySourceLoader;
import org.springframework.boot.logging.logback.WhitespaceThrowableProxyConverter;
import org.springframework.core.io.ClassPathResource;

/** What others have written cannot steer a terminal or pass for a line of the log. */
class LogPatternTest {

    private final LoggerContext context = new LoggerContext();
    private final PatternLayout layout = new PatternLayout();

    @BeforeEach
    void readPattern() throws IOException {
        Object pattern = new YamlPropertySourceLoader()
                .load("defaults", new ClassPathResource("application.yml"))
                .get(0)
                .getProperty("logging.pattern.console");
        context.setMDCAdapter(new LogbackMDCAdapter());
        layout.setContext(context);
        layout.setPattern(String.valueOf(pattern));
        layout.getInstanceConverterMap().put("wEx", WhitespaceThrowableProxyConverter::new);
        layout.start();
    }

    @ParameterizedTest
    @ValueSource(strings = {"\u001b[2J", "\r", "\u0007", "\u009b1m", "\u202e", "\u2028", "\ufeff", "\u0000"})
    void line_withWhatSteers_showsAQuestionMark(String steering) {
        assertThat(line("before" + steering + "after", null))
                .doesNotContain(steering)
                .contains("before?");
        assertThat(line("failed", new IllegalStateException("before" + steering + "after")))
                .doesNotContain(steering)
                .contains("before?");
    }

    @ParameterizedTest
    @ValueSource(strings = {"\n", "\n\n", "\r\n"})
    void line_withAForgedOne_indentsIt(String newline) {
        String forged = "2026-01-01T00:00:00.000Z  INFO all is well";

        assertThat(line("a" + newline + forged, null).lines())
                .noneMatch(forged::equals)
                .anyMatch(("    " + forged)::equals);
        assertThat(line("failed", new IllegalStateException("a" + newline + forged))
                        .lines())
                .noneMatch(forged::equals)
                .anyMatch(("    " + forged)::equals);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ends", "Bär 中文 😀 $0 \\n {}"})
    void line_withOrdinaryText_showsIt(String text) {
        assertThat(line(text, null)).endsWith(" : " + text + "\n");
        assertThat(line(text, new IllegalStateException("x")))
                .contains(" : " + text + "\n", "IllegalStateException: x")
                .endsWith("\n");
    }

    private String line(String message, @Nullable Throwable failure) {
        LoggingEvent event = new LoggingEvent("", context.getLogger("a"), Level.INFO, message, failure, null);
        return layout.doLayout(event);
    }
}
