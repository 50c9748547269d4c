# The matrix products of oneDNN, where libtorch has it. The host puts this file or portable.py, which offers the same
# functions, into the program as kernels.py: a program that names an operator that libtorch lacks does not compile.
#
# Packed matrices lie in memory as the kernels of this processor read them; only these functions can use them.


# Whether matrices can be packed: the processor needs the instructions for bfloat16, or those to emulate it.
def has_packed() -> bool:
  return ops.mkldnn._is_mkldnn_bf16_supported()


# weight (N, K), bfloat16; the result never shares its memory
def pack(weight: Tensor) -> Tensor:
  packed = ops.mkldnn._reorder_linear_weight(weight, annotate(Optional[int], None))
  if packed.is_mkldnn:
    return packed
  else:
    return packed.clone()  # what needs no other order comes back as it is


# activation(x W^T + bias), rounded once. activation: "none", "swish", or "gelu", whose formula is "none" or "tanh"
def linear(x: Tensor, packed: Tensor, bias: Optional[Tensor], activation: str, formula: str) -> Tensor:
  return ops.mkldnn._linear_pointwise(x, packed, bias, activation, annotate(List[Optional[number]], []), formula)


# (x W^T + bias) * other, rounded once
def linear_times(x: Tensor, other: Tensor, packed: Tensor, bias: Optional[Tensor]) -> Tensor:
  return ops.mkldnn._linear_pointwise(x, other, packed, bias, "mul")


# Whether products of int8 matrices are exact. Processors without VNNI add pairs of products in 16 bits, which overflow.
def has_int8() -> bool:
  weight = torch.full([16, 64], 127, dtype=1)
  x = torch.full([2, 64], 255, dtype=0)
  x[1] = 0
  packed = __torch__.idefics.kernels.pack_int8(weight)
  y = __torch__.idefics.kernels.linear_int8(x, packed, torch.ones([16]), None)
  return bool((y[0] == 1032256.).all()) and bool((y[1] == -1040384.).all())


# weight (N, K), int8; the result never shares its memory
def pack_int8(weight: Tensor) -> Tensor:
  packed = ops.onednn.qlinear_prepack(weight, annotate(Optional[List[int]], None))
  if packed.is_mkldnn:
    return packed
  else:
    return packed.clone()


# x (T, K) uint8, of which 128 means 0, scales (N) float32 -> float32 (T, N). Without AMX oneDNN has fast products for
# unsigned inputs only: signed ones take a thousand times as long.
def linear_int8(x: Tensor, packed: Tensor, scales: Tensor, bias: Optional[Tensor]) -> Tensor:
  zero_points = torch.zeros([scales.size(0)], dtype=3)
  return ops.onednn.qlinear_pointwise(x, 1., 128, packed, scales, zero_points, bias, 1., 0, 6, "none", annotate(List[Optional[number]], []), "")
