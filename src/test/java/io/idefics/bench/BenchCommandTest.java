package io.idefics.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BenchCommandTest {

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    ''                                       | Give --url or --in-process
                    --url http://x/v1 --in-process           | --url and --in-process exclude each other
                    --url ftp://x/v1                         | --url must be a URL as http://localhost:8080/v1 but was 'ftp://x/v1'
                    --url localhost:8080                     | --url must be a URL
                    --url ::                                 | --url must be a URL
                    --in-process --api-key k                 | --api-key is for --url
                    --in-process more                        | Unknown argument 'more'
                    --in-process --nonsense=1                | Unknown argument '--nonsense=1'; a setting
                    --url http://x/v1 --idefics.models[0].path=y | Unknown argument '--idefics.models[0].path=y'
                    --url http://x/v1 --concurrency 0        | --concurrency must be from 1 to 10000 but was 0
                    --url http://x/v1 --concurrency 1,x      | Invalid value for option '--concurrency'
                    --url http://x/v1 --concurrency 1 --rate 1 | --concurrency and --rate exclude each other
                    --url http://x/v1 --rate 0               | --rate must be above 0 and at most 100000 but was 0.0
                    --url http://x/v1 --rate NaN             | --rate must be above 0
                    --url http://x/v1 --requests 0           | --requests must be from 1 to 1000000000 but was 0
                    --url http://x/v1 --requests 1 --duration 1s | --requests and --duration exclude each other
                    --url http://x/v1 --duration soon        | Invalid value for option '--duration'
                    --url http://x/v1 --duration -5s         | Invalid value for option '--duration'
                    --url http://x/v1 --warmup -1            | --warmup must be from 0 to
                    --url http://x/v1 --images many          | Invalid value for option '--images': 'many' is not
                    --url http://x/v1 --distinct-images 0    | --distinct-images must be from 1
                    --url http://x/v1 --image-size 0         | --image-size must be from 1
                    --url http://x/v1 --prompt-tokens 0      | --prompt-tokens must be from 1
                    --url http://x/v1 --max-tokens 0         | --max-tokens must be from 1
                    --url http://x/v1 --max-tokens 3 --min-tokens 4 | --min-tokens must be from 1 to 3 but was 4
                    --url http://x/v1 --shared-prefix-tokens -1 | --shared-prefix-tokens must be from 0
                    --url http://x/v1 --turns 0              | --turns must be from 1
                    --url http://x/v1 --temperature 3        | --temperature must be from 0 to 2 but was 3.0
                    --url http://x/v1 --max-in-flight 0      | --max-in-flight must be from 1
                    --url                                    | Missing required parameter for option '--url'
                    """)
    void run_wrongArguments_saysSoAndHowToUseIt(String arguments, String message) {
        assertThat(run(arguments)).isEqualTo(2);
        assertThat(text(err)).startsWith(message).contains("Usage: java -jar").contains("--help");
        assertThat(text(out)).isEmpty();
    }

    @Test
    void run_help_describesTheOptions() {
        assertThat(run("--help")).isZero();
        assertThat(text(out)).contains("--in-process", "--concurrency=N", "--shared-prefix-tokens=N", "Exit status");
        assertThat(text(err)).isEmpty();
    }

    @Test
    void run_nobodyListens_saysSo() {
        assertThat(run("--url http://localhost:1/v1")).isEqualTo(1);
        assertThat(text(err)).contains("GET http://localhost:1/v1/models failed: ");
    }

    @Test
    void run_everyRequestFails_reportsThemWithoutTheKey() {
        assertThat(run("--url http://localhost:1/v1 --model m --requests 2 --warmup 0 --api-key hush --json -"))
                .isEqualTo(1);
        assertThat(text(out))
                .contains("\"failed\" : 2", "\"connect\"", "\"***\"")
                .doesNotContain("hush");
        assertThat(text(err)).contains("1 client: 2 failed with connect").doesNotContain("hush");
    }

    @Test
    void run_warmUpFails_isNoSuccess() {
        assertThat(run("--url http://localhost:1/v1 --model m --requests 1 --warmup 2"))
                .isEqualTo(1);
        assertThat(text(err)).contains("In the warm-up 2 failed with connect");
    }

    private int run(String arguments) {
        String[] split = arguments.isEmpty() ? new String[0] : arguments.split(" ");
        return BenchCommand.run(BenchCommandTest.class, split, new PrintStream(out, true), new PrintStream(err, true));
    }

    private static String text(ByteArrayOutputStream stream) {
        return stream.toString(StandardCharsets.UTF_8);
    }
}
