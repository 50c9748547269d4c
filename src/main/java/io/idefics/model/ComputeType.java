package io.idefics.model;

import io.idefics.checkpoint.TensorType;

/** The type in which matrices are multiplied. Norms, softmax, residuals and accumulation are float32 in both. */
public enum ComputeType {
    FLOAT32(6),
    BFLOAT16(15);

    private final int torchType;

    ComputeType(int torchType) {
        this.torchType = torchType;
    }

    /** The name of this type in weight files. */
    TensorType stored() {
        return this == FLOAT32 ? TensorType.F32 : TensorType.BF16;
    }

    int byteSize() {
        return stored().byteSize();
    }

    /** The number of this type in TorchScript. */
    int torchType() {
        return torchType;
    }
}
