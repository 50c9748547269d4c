package io.idefics.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Writes a report where the arguments want it. */
final class ReportWriter {

    private static final String STANDARD_OUTPUT = "-";
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    private final @Nullable String file;
    private final PrintWriter out;
    private final PrintWriter err;

    /**
     * @param file of the JSON; {@code -} is the standard output, which then has no table; null for none
     * @param out gets the table
     * @param err gets it instead where the standard output is JSON
     */
    ReportWriter(@Nullable String file, PrintWriter out, PrintWriter err) {
        this.file = file;
        this.out = out;
        this.err = err;
    }

    /** Writes all of it; false if the file cannot be written, which is said. */
    boolean write(Report report) {
        boolean jsonAlone = STANDARD_OUTPUT.equals(file);
        PrintWriter table = jsonAlone ? err : out;
        table.print(ReportTable.render(report));
        table.flush();
        if (jsonAlone) {
            out.println(json(report));
        } else if (file != null) {
            return save(Path.of(file), report);
        }
        return true;
    }

    private boolean save(Path path, Report report) {
        try {
            Files.writeString(path, json(report) + System.lineSeparator());
            return true;
        } catch (IOException e) {
            err.println("The report cannot be written to " + path + ": " + e);
            return false;
        }
    }

    static String json(Report report) {
        try {
            return JSON.writeValueAsString(report);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a report can always be written as JSON", e);
        }
    }
}
