package io.idefics.model;

import ai.djl.ndarray.BaseNDManager;
import java.lang.reflect.Field;
import java.util.Map;

/** Counts what a model keeps in native memory on behalf of Java; what is made for one step must be gone after it. */
public final class NativeResources {

    private NativeResources() {}

    /** Tensors and managers that are attached to the manager of the model, and those that are about to be. */
    public static int count(IdeficsModel model) {
        Object manager = value(IdeficsModel.class, "manager", model);
        return ((Map<?, ?>) value(BaseNDManager.class, "resources", manager)).size()
                + ((Map<?, ?>) value(BaseNDManager.class, "tempResources", manager)).size();
    }

    private static Object value(Class<?> type, String field, Object object) {
        try {
            Field declared = type.getDeclaredField(field);
            declared.setAccessible(true);
            return declared.get(object);
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }
}
