package io.idefics.bench;

import java.io.PrintStream;
import java.io.PrintWriter;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;
import picocli.CommandLine.Unmatched;

/** The command line of the bench: reads and checks the arguments. */
@Command(
        name = "bench",
        sortOptions = false,
        customSynopsis = {
            "java -jar idefics-server.jar bench --url URL [options]",
            "       java -jar idefics-server.jar bench --in-process [options] [--idefics.NAME=VALUE...]"
        },
        description = {
            "Loads a server and reports how it behaves: throughput, time to first token, time per output token,"
                    + " gaps and latency.",
            ""
        },
        footer = {"", "Exit status: 0 if every request was answered, 1 if one failed, 2 for wrong arguments."})
public final class BenchCommand implements Callable<Integer> {

    /** The first argument of the program that leads here. */
    public static final String NAME = "bench";

    private static final int USAGE_WIDTH = 110;

    private final Class<?> application;
    private final List<String> arguments;
    private final PrintWriter out;
    private final PrintWriter err;

    @Spec
    private @Nullable CommandSpec spec;

    @Option(
            names = "--url",
            paramLabel = "URL",
            order = 10,
            description = "The server: the root of an OpenAI-style API, as in http://localhost:8080/v1")
    private @Nullable String url;

    @Option(
            names = "--in-process",
            order = 11,
            description =
                    "Instead of a server, this program's own service without HTTP; settings of the server may follow")
    private boolean inProcess;

    @Option(names = "--api-key", paramLabel = "KEY", order = 12, description = "Sent as bearer token")
    private @Nullable String apiKey;

    @Option(names = "--model", paramLabel = "ID", order = 13, description = "The model; by default the first one")
    private @Nullable String model;

    @Option(
            names = "--concurrency",
            paramLabel = "N",
            split = ",",
            order = 20,
            description = "Clients that each ask again as soon as they have their answer; 1,4,16 measures three loads"
                    + " (default: 1)")
    private List<Integer> concurrency = new ArrayList<>();

    @Option(
            names = "--rate",
            paramLabel = "R",
            split = ",",
            order = 21,
            description = "Instead, requests a second that come at random (Poisson) times; conversations a second with"
                    + " --turns")
    private List<Double> rates = new ArrayList<>();

    @Option(names = "--requests", paramLabel = "N", order = 22, description = "Requests of each load (default: 100)")
    private @Nullable Long requests;

    @Option(
            names = "--duration",
            paramLabel = "TIME",
            order = 23,
            converter = TimeConverter.class,
            description = "Instead, how long requests are sent, as in 60s or 5m")
    private @Nullable Duration duration;

    @Option(
            names = "--warmup",
            paramLabel = "N",
            order = 24,
            description = "Requests before each load that are not counted (default: ${DEFAULT-VALUE})")
    private long warmup = 1;

    @Option(
            names = "--timeout",
            paramLabel = "TIME",
            order = 25,
            converter = TimeConverter.class,
            defaultValue = "600s",
            description = "How long a request may take (default: ${DEFAULT-VALUE})")
    private Duration timeout = Duration.ofSeconds(600);

    @Option(
            names = "--max-in-flight",
            paramLabel = "N",
            order = 26,
            description = "With --rate, the most requests at once; further ones wait, and the wait counts"
                    + " (default: ${DEFAULT-VALUE})")
    private int maxInFlight = 1024;

    @Option(
            names = "--prompt-tokens",
            paramLabel = "N",
            order = 30,
            description = "About how many tokens of text a user message has (default: ${DEFAULT-VALUE})")
    private int promptTokens = 128;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            order = 31,
            description = "The most tokens of an answer (default: ${DEFAULT-VALUE})")
    private int maxTokens = 64;

    @Option(
            names = "--min-tokens",
            paramLabel = "N",
            order = 32,
            description = "The fewest tokens of an answer, sent as min_tokens, which not every server knows")
    private @Nullable Integer minTokens;

    @Option(
            names = "--images",
            paramLabel = "MIX",
            order = 33,
            converter = ImageMixConverter.class,
            defaultValue = "0",
            description = "Pictures of a request: a number, numbers with their shares as in 0:0.25,1:0.75, or mix for "
                    + ImageMix.DEFAULT_MIX + " (default: ${DEFAULT-VALUE})")
    private ImageMix images = ImageMix.parse("0");

    @Option(
            names = "--distinct-images",
            paramLabel = "K",
            order = 34,
            description = "How many different pictures there are; by default every picture is a new one")
    private @Nullable Integer distinctImages;

    @Option(
            names = "--image-size",
            paramLabel = "PIXELS",
            order = 35,
            description = "Height and width of a picture (default: ${DEFAULT-VALUE})")
    private int imageSize = 448;

    @Option(
            names = "--shared-prefix-tokens",
            paramLabel = "N",
            order = 36,
            description = "About how many tokens a system prompt has that all requests share (default: none)")
    private int sharedPrefixTokens;

    @Option(
            names = "--turns",
            paramLabel = "T",
            order = 37,
            description = "Requests of a conversation, each with the turns before it (default: ${DEFAULT-VALUE})")
    private int turns = 1;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            order = 38,
            description = "Of the sampling; 0 is greedy (default: ${DEFAULT-VALUE})")
    private double temperature;

    @Option(
            names = "--seed",
            paramLabel = "N",
            order = 39,
            description = "Decides texts, pictures and arrivals (default: ${DEFAULT-VALUE})")
    private long seed = 1;

    @Option(
            names = "--json",
            paramLabel = "FILE",
            order = 50,
            description = "Writes the report as JSON to a file too, or with - to the standard output, and the table to"
                    + " the standard error")
    private @Nullable String json;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            order = 51,
            description = "Prints this")
    private boolean help;

    @Unmatched
    private List<String> settings = new ArrayList<>();

    private BenchCommand(Class<?> application, List<String> arguments, PrintWriter out, PrintWriter err) {
        this.application = application;
        this.arguments = arguments;
        this.out = out;
        this.err = err;
    }

    /**
     * Runs the program on the standard streams. What else is written to the standard output, as the log of a service in
     * process, goes to the standard error.
     *
     * @param application the class with the configuration of the service
     * @param arguments those of the program, of which the first one is {@value #NAME}
     * @return the exit status
     */
    public static int main(Class<?> application, String[] arguments) {
        PrintStream out = System.out;
        System.setOut(System.err);
        return run(application, Arrays.copyOfRange(arguments, 1, arguments.length), out, System.err);
    }

    /**
     * Runs a bench.
     *
     * @param application the class with the configuration of the service
     * @param arguments options; see {@code --help}
     * @param out gets the report
     * @param err gets progress and errors
     * @return the exit status: 0 if every request was answered, 1 if one failed, 2 for wrong arguments
     */
    public static int run(Class<?> application, String[] arguments, PrintStream out, PrintStream err) {
        PrintWriter outWriter = new PrintWriter(out, true, StandardCharsets.UTF_8);
        PrintWriter errWriter = new PrintWriter(err, true, StandardCharsets.UTF_8);
        int status = new CommandLine(new BenchCommand(application, withoutKey(arguments), outWriter, errWriter))
                .setOut(outWriter)
                .setErr(errWriter)
                .setUsageHelpWidth(USAGE_WIDTH)
                .setParameterExceptionHandler(BenchCommand::explain)
                .execute(arguments);
        outWriter.flush();
        errWriter.flush();
        return status;
    }

    private static int explain(ParameterException wrong, String[] arguments) {
        CommandLine command = wrong.getCommandLine();
        PrintWriter err = command.getErr();
        err.println(wrong.getMessage());
        err.print("Usage: " + command.getHelp().synopsis(0));
        err.println("bench --help describes all options.");
        return command.getCommandSpec().exitCodeOnInvalidInput();
    }

    @Override
    public Integer call() {
        URI uri = target();
        Workload workload = workload();
        List<Load> loads = loads();
        BenchRun run = new BenchRun(loads, extent(), warmup(), timeout, maxInFlight, workload);
        ReportWriter writer = new ReportWriter(json, out, err);
        err.println(uri == null ? "Starting the service" : "Asking " + uri);
        try (Target target = uri == null
                ? InProcessTarget.start(application, settings, model, workload)
                : new HttpTarget(uri, apiKey, model, workload)) {
            return run.run(target, arguments, writer, err) ? 0 : 1;
        } catch (TargetException e) {
            err.println(e.getMessage());
            return 1;
        }
    }

    /** The URL of the server; null for the service of this process. */
    private @Nullable URI target() {
        for (String setting : settings) {
            if (!inProcess || !setting.matches("--[a-z][\\w-]*\\.[^=]*=.*")) {
                throw wrong("Unknown argument '" + setting + "'"
                        + (inProcess ? "; a setting of the server has the form --name.of.setting=value" : ""));
            }
        }
        if (inProcess == (url != null)) {
            throw wrong(inProcess ? "--url and --in-process exclude each other" : "Give --url or --in-process");
        }
        if (inProcess && apiKey != null) {
            throw wrong("--api-key is for --url");
        }
        return url == null ? null : uri(url);
    }

    private URI uri(String text) {
        try {
            URI uri = URI.create(text);
            String scheme = String.valueOf(uri.getScheme()).toLowerCase(Locale.ROOT);
            if ((scheme.equals("http") || scheme.equals("https")) && uri.getHost() != null && uri.getQuery() == null) {
                return uri;
            }
        } catch (IllegalArgumentException e) {
            // Refused below.
        }
        throw wrong("--url must be a URL as http://localhost:8080/v1 but was '" + text + "'");
    }

    private Workload workload() {
        within("--prompt-tokens", promptTokens, 1, 1_000_000);
        within("--max-tokens", maxTokens, 1, 1_000_000);
        within("--min-tokens", minTokens == null ? 1 : minTokens, 1, maxTokens);
        within("--distinct-images", distinctImages == null ? 1 : distinctImages, 1, 100_000);
        within("--image-size", imageSize, 1, 10_000);
        within("--shared-prefix-tokens", sharedPrefixTokens, 0, 1_000_000);
        within("--turns", turns, 1, 1_000);
        if (!(temperature >= 0 && temperature <= 2)) {
            throw wrong("--temperature must be from 0 to 2 but was " + temperature);
        }
        return new Workload(
                promptTokens,
                maxTokens,
                minTokens,
                images,
                distinctImages,
                imageSize,
                sharedPrefixTokens,
                turns,
                temperature,
                seed);
    }

    private List<Load> loads() {
        if (!concurrency.isEmpty() && !rates.isEmpty()) {
            throw wrong("--concurrency and --rate exclude each other");
        }
        within("--max-in-flight", maxInFlight, 1, 10_000);
        List<Load> loads = new ArrayList<>();
        for (double rate : rates) {
            if (!(rate > 0 && rate <= 100_000)) {
                throw wrong("--rate must be above 0 and at most 100000 but was " + rate);
            }
            loads.add(new Load.Rate(rate));
        }
        for (int clients : concurrency) {
            within("--concurrency", clients, 1, 10_000);
            loads.add(new Load.Clients(clients));
        }
        return loads.isEmpty() ? List.of(new Load.Clients(1)) : loads;
    }

    private Extent extent() {
        if (requests != null && duration != null) {
            throw wrong("--requests and --duration exclude each other");
        }
        if (duration != null) {
            return new Extent.Lasting(duration);
        }
        long count = requests == null ? 100 : requests;
        within("--requests", count, 1, 1_000_000_000);
        return new Extent.Requests(count);
    }

    private Extent.Requests warmup() {
        within("--warmup", warmup, 0, 1_000_000);
        return new Extent.Requests(warmup);
    }

    private void within(String option, long value, long min, long max) {
        if (value < min || value > max) {
            throw wrong(option + " must be from " + min + " to " + max + " but was " + value);
        }
    }

    private ParameterException wrong(String message) {
        if (spec == null) {
            throw new IllegalStateException("picocli sets the specification before the call");
        }
        return new ParameterException(spec.commandLine(), message);
    }

    /** The arguments as a report may show them. */
    private static List<String> withoutKey(String[] arguments) {
        List<String> shown = new ArrayList<>();
        for (int i = 0; i < arguments.length; i++) {
            boolean key = i > 0 && arguments[i - 1].equals("--api-key");
            shown.add(key ? "***" : arguments[i].replaceFirst("^--api-key=.*", "--api-key=***"));
        }
        return shown;
    }

    /** Reads times as {@code 60s}, {@code 5m} or {@code 1h30m}; a bare number is seconds. */
    static final class TimeConverter implements ITypeConverter<Duration> {
        @Override
        public Duration convert(String value) {
            try {
                Duration time = Duration.parse("PT" + value + (value.matches("[0-9.]+") ? "S" : ""));
                if (time.isNegative() || time.isZero() || time.toDays() >= 100) {
                    throw new TypeConversionException("'" + value + "' is not above 0 and below 100 days");
                }
                return time;
            } catch (DateTimeParseException e) {
                throw new TypeConversionException("'" + value + "' is not a time as 60s, 5m or 1h30m");
            }
        }
    }

    /** Reads a mix of numbers of pictures. */
    static final class ImageMixConverter implements ITypeConverter<ImageMix> {
        @Override
        public ImageMix convert(String value) {
            try {
                return ImageMix.parse(value);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(String.valueOf(e.getMessage()));
            }
        }
    }
}
