package io.idefics.keys;

import io.idefics.admission.ApiKey;
import io.idefics.admission.Scope;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Makes a key and prints it with what has to be configured for it, or prints the hash of a key that there is. */
@Command(
        name = "key",
        sortOptions = false,
        customSynopsis = {
            "java -jar idefics-server.jar key --name NAME [--scope inference,admin]",
            "       java -jar idefics-server.jar key --hash < FILE"
        },
        description = {"Makes an API key, or prints the hash of one.", ""},
        footer = {"", "Exit status: 0, or 2 for wrong arguments or a key that is too easy to guess."})
public final class KeyCommand implements Callable<Integer> {

    /** The first argument of the program that leads here. */
    public static final String NAME = "key";

    private static final String PREFIX = "sk-idefics-";

    /** As many as the hash has, so that neither is easier to guess than the other. */
    private static final int RANDOM_BYTES = 32;

    /** A plain hash protects only what nobody can guess: 32 characters of base64 have 192 bits. */
    private static final int MIN_GIVEN_LENGTH = 32;

    private static final int USAGE_WIDTH = 110;

    private final InputStream in;
    private final PrintWriter out;

    @Spec
    private @Nullable CommandSpec spec;

    @Option(
            names = "--name",
            paramLabel = "NAME",
            order = 10,
            description = "Tells the key apart from others in logs and limits")
    private @Nullable String name;

    @Option(
            names = "--scope",
            paramLabel = "SCOPE",
            split = ",",
            order = 11,
            description = "What its holder may do: inference (ask models) and admin (see how the server is doing);"
                    + " inference by default")
    private List<Scope> scopes = new ArrayList<>();

    @Option(
            names = "--hash",
            order = 12,
            description = "Instead, reads a key from the standard input and prints its hash")
    private boolean hash;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            order = 13,
            description = "Prints this")
    private boolean help;

    private KeyCommand(InputStream in, PrintWriter out) {
        this.in = in;
        this.out = out;
    }

    /**
     * Runs the program on the standard streams.
     *
     * @param arguments those of the program, of which the first one is {@value #NAME}
     * @return the exit status
     */
    public static int main(String[] arguments) {
        return run(Arrays.copyOfRange(arguments, 1, arguments.length), System.in, System.out, System.err);
    }

    /**
     * Makes a key, or the hash of one.
     *
     * @param arguments options; see {@code --help}
     * @param in has the key with {@code --hash}
     * @param out gets the key or the hash
     * @param err gets errors
     * @return the exit status
     */
    static int run(String[] arguments, InputStream in, PrintStream out, PrintStream err) {
        PrintWriter outWriter = new PrintWriter(out, true, StandardCharsets.UTF_8);
        PrintWriter errWriter = new PrintWriter(err, true, StandardCharsets.UTF_8);
        int status = new CommandLine(new KeyCommand(in, outWriter))
                .setOut(outWriter)
                .setErr(errWriter)
                .setUsageHelpWidth(USAGE_WIDTH)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setParameterExceptionHandler(KeyCommand::explain)
                .execute(arguments);
        outWriter.flush();
        errWriter.flush();
        return status;
    }

    private static int explain(ParameterException wrong, String[] arguments) {
        CommandLine command = wrong.getCommandLine();
        command.getErr().println(wrong.getMessage());
        command.getErr().print("Usage: " + command.getHelp().synopsis(0));
        return command.getCommandSpec().exitCodeOnInvalidInput();
    }

    @Override
    public Integer call() throws IOException {
        if (hash == (name != null)) {
            throw wrong(hash ? "--hash and --name exclude each other" : "Give --name or --hash");
        }
        if (name == null) {
            out.println(ApiKey.hashOf(given()));
            return 0;
        }
        if (!ApiKey.isName(name)) {
            throw wrong("--name must have 1 to 64 letters, digits, dots, dashes or underscores but was '" + name + "'");
        }
        String key = random();
        out.println("The key, which is printed this once and kept nowhere:");
        out.println();
        out.println(key);
        out.println();
        out.println("For the key file, or with \"keys\" under idefics.access in application.yml:");
        out.println();
        out.println("keys:");
        out.println("  - name: " + name);
        out.println("    hash: " + ApiKey.hashOf(key));
        out.println("    scopes: [" + words() + "]");
        return 0;
    }

    private String words() {
        List<Scope> all = scopes.isEmpty() ? List.of(Scope.INFERENCE) : scopes;
        return all.stream()
                .distinct()
                .map(scope -> scope.name().toLowerCase(Locale.ROOT))
                .collect(Collectors.joining(", "));
    }

    private static String random() {
        byte[] bytes = new byte[RANDOM_BYTES];
        new SecureRandom().nextBytes(bytes);
        return PREFIX + Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    private String given() throws IOException {
        String key = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8)).readLine();
        if (key == null || !ApiKey.isKey(key)) {
            throw wrong("The key must be one line of printable ASCII without spaces");
        }
        if (key.length() < MIN_GIVEN_LENGTH) {
            throw wrong("The key has " + key.length() + " characters but must have at least " + MIN_GIVEN_LENGTH
                    + ", and they must be random: make one with --name");
        }
        return key;
    }

    private ParameterException wrong(String message) {
        if (spec == null) {
            throw new IllegalStateException(message); // picocli sets it
        }
        return new ParameterException(spec.commandLine(), message);
    }
}
