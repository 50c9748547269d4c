package io.idefics.grammar;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import io.idefics.grammar.SchemaDocument.Place;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Tells whether two schemas of a document surely have no value in common. Not thread-safe. */
final class SchemaOverlap {

    private static final int MAX_DEPTH = 12;

    private final SchemaDocument document;
    private final InstanceCheck check;
    private final CompileEffort effort;

    SchemaOverlap(SchemaDocument document, Nodes nodes) {
        this.document = document;
        this.check = new InstanceCheck(document, nodes, true);
        this.effort = nodes.effort();
    }

    /** Whether no value satisfies both; false where that is not certain. */
    boolean areDisjoint(Place a, Place b) {
        return areDisjoint(a, b, 0);
    }

    private boolean areDisjoint(Place givenA, Place givenB, int depth) {
        effort.work(10);
        if (depth > MAX_DEPTH) {
            return false;
        }
        Place a = document.resolve(givenA);
        Place b = document.resolve(givenB);
        if (a.isFalse() || b.isFalse() || haveOtherTypes(a, b)) {
            return true;
        }
        return listsOnlyOthers(a, b)
                || listsOnlyOthers(b, a)
                || isSplit(a, b, depth)
                || isSplit(b, a, depth)
                || areOtherObjects(a, b, depth);
    }

    private boolean haveOtherTypes(Place a, Place b) {
        Set<SchemaType> typesA = types(a);
        Set<SchemaType> typesB = types(b);
        return typesA != null
                && typesB != null
                && SchemaType.shared(typesA, typesB).isEmpty();
    }

    /** The types of the values of a schema as far as they are certain; null where they are not. */
    private @Nullable Set<SchemaType> types(Place place) {
        Set<SchemaType> named = place.schema().isBoolean() ? null : document.types(place);
        List<JsonNode> values = document.values(place);
        if (named != null || values == null) {
            return named;
        }
        Set<SchemaType> types = EnumSet.noneOf(SchemaType.class);
        for (SchemaType type : SchemaType.all()) {
            if (values.stream().anyMatch(type::has)) {
                types.add(type);
            }
        }
        return types;
    }

    /** Whether {@code a} lists its values and none of them satisfies {@code b}. */
    private boolean listsOnlyOthers(Place a, Place b) {
        List<JsonNode> values = document.values(a);
        return values != null && values.stream().noneMatch(value -> check.accepts(b, value));
    }

    /** Whether {@code a} consists of branches that all have nothing in common with {@code b}. */
    private boolean isSplit(Place a, Place b, int depth) {
        for (String keyword : List.of("anyOf", "oneOf", "allOf")) {
            if (a.has(keyword)
                    && document.list(a, keyword).stream().allMatch(branch -> areDisjoint(branch, b, depth + 1))) {
                return true;
            }
        }
        return false;
    }

    /** Whether both are objects, which differ in a property that both require or one does not have. */
    private boolean areOtherObjects(Place a, Place b, int depth) {
        Set<SchemaType> objects = EnumSet.of(SchemaType.OBJECT);
        if (!objects.equals(types(a)) || !objects.equals(types(b))) {
            return false;
        }
        Set<String> requiredA = document.required(a);
        Set<String> requiredB = document.required(b);
        for (String name : requiredA) {
            if (requiredB.contains(name) && areDisjoint(property(a, name), property(b, name), depth + 1)) {
                return true;
            }
        }
        return requiredA.stream().anyMatch(name -> property(b, name).isFalse())
                || requiredB.stream().anyMatch(name -> property(a, name).isFalse());
    }

    /** The schema of a property; that of any value where nothing is said. */
    private Place property(Place place, String name) {
        Place declared = place.at("properties", name);
        if (!declared.schema().isMissingNode()) {
            return declared;
        }
        Place others = place.at("additionalProperties");
        return others.schema().isMissingNode() ? new Place(BooleanNode.TRUE, others.pointer()) : others;
    }
}
