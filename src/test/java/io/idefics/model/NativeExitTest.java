package io.idefics.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.jna.Function;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The process ends, whatever native code still runs. */
class NativeExitTest {

    private static final int STATUS = 7;
    private static final int ABORTED = 128 + 6;

    @TempDir
    private Path directory;

    /** A process that has loaded libtorch and that a destructor would abort. */
    static final class Program {

        public static void main(String[] arguments) {
            Function abort = Function.getFunction("c", "abort");
            Function.getFunction("c", "on_exit").invokeInt(new Object[] {abort, null});
            if (arguments.length > 0) {
                IdeficsModel.loadLibrary();
            }
            System.exit(STATUS);
        }
    }

    @Test
    void exit_afterLibtorchWasLoaded_runsNoDestructors() throws Exception {
        assertThat(exitStatus("load")).isEqualTo(STATUS);
        assertThat(exitStatus()).as("the destructor aborts otherwise").isEqualTo(ABORTED);
    }

    private int exitStatus(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Program.class.getName()));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("output").toFile())
                .start();
        try {
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
            return process.exitValue();
        } finally {
            process.destroyForcibly();
        }
    }
}
