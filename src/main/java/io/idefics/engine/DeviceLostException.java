package io.idefics.engine;

/**
 * A device that this process cannot use any more, as after a CUDA error that stays: whatever runs on it next fails as
 * well, and only a new process cures it. A replica that fails with this, itself or as a cause, is not rebuilt.
 */
public class DeviceLostException extends RuntimeException {

    public DeviceLostException(String message, Throwable cause) {
        super(message, cause);
    }

    public DeviceLostException(String message) {
        super(message);
    }

    /** Whether the error is of this kind or was caused by one. */
    static boolean isCauseOf(Throwable error) {
        Throwable cause = error;
        for (int depth = 0; cause != null && depth < 32; depth++) { // causes may form a ring
            if (cause instanceof DeviceLostException) {
                return true;
            }
            cause = cause.getCause();
        }
        return false;
    }
}
