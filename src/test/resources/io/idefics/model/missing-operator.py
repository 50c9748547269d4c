# Kernels for a libtorch that does not exist.


def has_packed() -> bool:
  return True


def pack(weight: Tensor) -> Tensor:
  return ops.nowhere.pack(weight)


def linear(x: Tensor, packed: Tensor, bias: Optional[Tensor], activation: str, formula: str) -> Tensor:
  return x


def linear_times(x: Tensor, other: Tensor, packed: Tensor, bias: Optional[Tensor]) -> Tensor:
  return x


def has_int8() -> bool:
  return True


def pack_int8(weight: Tensor) -> Tensor:
  return weight


def linear_int8(x: Tensor, packed: Tensor, scales: Tensor, bias: Optional[Tensor]) -> Tensor:
  return x
