package io.idefics.model;

/** The type in which matrices are multiplied. Norms, softmax, residuals and accumulation are float32 in both. */
public enum ComputeType {
    FLOAT32(6),
    BFLOAT16(15);

    private final int torchType;

    ComputeType(int torchType) {
        this.torchType = torchType;
    }

    /** The number of this type in TorchScript. */
    int torchType() {
        return torchType;
    }
}
