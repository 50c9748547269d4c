package io.idefics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import archfixture.web.BreaksWeb;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Keeps the arrows between the packages, with each rule seen to fail on code that breaks it. */
class ArchitectureTest {

    private static final JavaClasses PROGRAM = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackagesOf(IdeficsApplication.class);

    private static final String BROKEN_ROOT = "archfixture";
    private static final JavaClasses BROKEN = new ClassFileImporter().importPackages(BROKEN_ROOT);

    @Test
    void imports_findTheProgramAndTheBrokenCode() {
        assertThat(PROGRAM.contain(IdeficsApplication.class)).isTrue();
        assertThat(PROGRAM).hasSizeGreaterThan(20);
        assertThat(PROGRAM.contain(BreaksWeb.class)).isFalse();
        assertThat(BROKEN.contain(BreaksWeb.class)).isTrue();
    }

    @TestFactory
    Stream<DynamicTest> program_keepsTheRule() {
        return ArchitectureRules.of("io.idefics").stream()
                .map(rule -> dynamicTest(rule.getDescription(), () -> rule.check(PROGRAM)));
    }

    @TestFactory
    Stream<DynamicTest> brokenCode_breaksTheRule() {
        return ArchitectureRules.of(BROKEN_ROOT).stream()
                .map(rule -> dynamicTest(
                        rule.getDescription(),
                        () -> assertThat(rule.evaluate(BROKEN).hasViolation()).isTrue()));
    }
}
