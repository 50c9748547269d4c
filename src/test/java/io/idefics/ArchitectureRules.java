package io.idefics;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackages;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.GeneralCodingRules.ACCESS_STANDARD_STREAMS;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.lang.ArchRule;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.springframework.boot.context.properties.ConfigurationProperties;

/** The rules between the packages, for any root package so that they can be tried on code that breaks them. */
final class ArchitectureRules {

    /** Which rooms each room may use; all other uses are forbidden. */
    private static final Map<String, Set<String>> ARROWS = new TreeMap<>(Map.ofEntries(
            Map.entry("generation", Set.of()),
            Map.entry("tokenizer", Set.of()),
            Map.entry("checkpoint", Set.of()),
            Map.entry("image", Set.of("generation")),
            Map.entry("admission", Set.of("generation")),
            Map.entry("model", Set.of("checkpoint")),
            Map.entry("processing", Set.of("image", "tokenizer", "model", "generation")),
            Map.entry("engine", Set.of("model", "generation")),
            Map.entry("grammar", Set.of("engine", "tokenizer", "generation")),
            Map.entry(
                    "service",
                    Set.of(
                            "engine",
                            "grammar",
                            "processing",
                            "image",
                            "tokenizer",
                            "model",
                            "checkpoint",
                            "generation")),
            Map.entry("web", Set.of("service", "admission", "generation")),
            Map.entry("observability", Set.of("service", "engine", "admission")),
            Map.entry("bench", Set.of("service", "generation")),
            Map.entry("keys", Set.of("admission"))));

    /** The room that wires the others: it may use all of them but the commands, and none may use it. */
    private static final String WIRING = "config";

    /** The command that runs the service itself. */
    private static final String BENCH = "bench";

    /** The commands beside the service: nothing but the main class uses them, and they alone have the standard streams. */
    private static final Set<String> COMMANDS = Set.of(BENCH, "keys");

    private final String root;

    private ArchitectureRules(String root) {
        this.root = root;
    }

    /** All rules, for the code under that root package. */
    static List<ArchRule> of(String root) {
        ArchitectureRules rules = new ArchitectureRules(root);
        List<ArchRule> all = new ArrayList<>();
        ARROWS.forEach((room, allowed) -> all.add(rules.arrows(room, allowed)));
        all.add(rules.everyClassHasARoom());
        all.add(rules.nothingUses(WIRING));
        COMMANDS.forEach(command -> all.add(rules.onlyTheMainClassUses(command)));
        all.add(rules.noCycles());
        all.add(rules.onlyIn("ai.djl..", "model", "tokenizer"));
        all.add(rules.notIn("reactor..", "generation", "tokenizer", "checkpoint", "model", "processing"));
        all.add(rules.springOnlyAtTheEdges());
        all.add(rules.propertiesUseOnlyBinding());
        all.add(rules.noStandardStreams());
        return all;
    }

    private ArchRule arrows(String room, Set<String> allowed) {
        Set<String> forbidden = new TreeSet<>(ARROWS.keySet());
        forbidden.add(WIRING);
        forbidden.remove(room);
        forbidden.removeAll(allowed);
        return noClasses()
                .that()
                .resideInAPackage(inside(room))
                .should()
                .dependOnClassesThat(resideInAnyPackage(rooms(forbidden)).or(resideInAPackage(root)))
                .as(room + " uses only " + new TreeSet<>(allowed))
                .allowEmptyShould(true);
    }

    private ArchRule everyClassHasARoom() {
        Set<String> all = new TreeSet<>(ARROWS.keySet());
        all.add(WIRING);
        return classes()
                .should()
                .resideInAnyPackage(rooms(all))
                .orShould()
                .haveFullyQualifiedName(IdeficsApplication.class.getName())
                .as("every class is in one of " + all);
    }

    private ArchRule nothingUses(String room) {
        return noClasses()
                .that()
                .resideOutsideOfPackage(inside(room))
                .should()
                .dependOnClassesThat()
                .resideInAPackage(inside(room))
                .as("nothing uses " + room)
                .allowEmptyShould(true);
    }

    private ArchRule onlyTheMainClassUses(String room) {
        return noClasses()
                .that()
                .resideOutsideOfPackage(inside(room))
                .and()
                .doNotHaveFullyQualifiedName(IdeficsApplication.class.getName())
                .should()
                .dependOnClassesThat()
                .resideInAPackage(inside(room))
                .as("only the main class uses " + room)
                .allowEmptyShould(true);
    }

    private ArchRule noCycles() {
        return slices().matching(root + ".(*)..").should().beFreeOfCycles().allowEmptyShould(true);
    }

    private ArchRule onlyIn(String library, String... rooms) {
        return noClasses()
                .that()
                .resideOutsideOfPackages(rooms(Set.of(rooms)))
                .should()
                .dependOnClassesThat()
                .resideInAPackage(library)
                .as(library + " is used only in " + new TreeSet<>(Set.of(rooms)))
                .allowEmptyShould(true);
    }

    private ArchRule notIn(String library, String... rooms) {
        return noClasses()
                .that()
                .resideInAnyPackage(rooms(Set.of(rooms)))
                .should()
                .dependOnClassesThat()
                .resideInAPackage(library)
                .as(library + " is not used in " + new TreeSet<>(Set.of(rooms)))
                .allowEmptyShould(true);
    }

    private ArchRule springOnlyAtTheEdges() {
        return noClasses()
                .that(resideOutsideOfPackages(
                                root, inside("web"), inside("observability"), inside(BENCH), inside(WIRING))
                        .and(DescribedPredicate.not(partOfProperties())))
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.springframework..")
                .as("Spring is used only in web, observability, bench, config and in configuration properties")
                .allowEmptyShould(true);
    }

    private ArchRule propertiesUseOnlyBinding() {
        return noClasses()
                .that(partOfProperties())
                .should()
                .dependOnClassesThat(resideInAPackage("org.springframework..")
                        .and(resideOutsideOfPackages(
                                "org.springframework.boot.context.properties..",
                                "org.springframework.boot.convert..",
                                "org.springframework.util.unit..",
                                "org.springframework.validation.annotation..")))
                .as("configuration properties use only Spring's binding")
                .allowEmptyShould(true);
    }

    private ArchRule noStandardStreams() {
        return noClasses()
                .that()
                .resideOutsideOfPackages(rooms(COMMANDS))
                .should(ACCESS_STANDARD_STREAMS)
                .allowEmptyShould(true);
    }

    /** A class bound from the configuration, or a class inside one. */
    private static DescribedPredicate<JavaClass> partOfProperties() {
        return DescribedPredicate.describe(
                "are part of configuration properties",
                type -> type.isAnnotatedWith(ConfigurationProperties.class)
                        || type.getEnclosingClass()
                                .map(outer -> partOfProperties().test(outer))
                                .orElse(false));
    }

    private String[] rooms(Set<String> rooms) {
        return rooms.stream().map(this::inside).toArray(String[]::new);
    }

    private String inside(String room) {
        return root + "." + room + "..";
    }
}
