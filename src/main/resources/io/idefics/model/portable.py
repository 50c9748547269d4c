# The functions of onednn.py for a libtorch without oneDNN: nothing can be packed, and nobody asks for it.


def has_packed() -> bool:
  return False


def pack(weight: Tensor) -> Tensor:
  assert False, "this libtorch cannot pack matrices"
  return weight


def linear(x: Tensor, packed: Tensor, bias: Optional[Tensor], activation: str, formula: str) -> Tensor:
  assert False, "this libtorch cannot pack matrices"
  return x


def linear_times(x: Tensor, other: Tensor, packed: Tensor, bias: Optional[Tensor]) -> Tensor:
  assert False, "this libtorch cannot pack matrices"
  return x


def has_int8() -> bool:
  return False


def pack_int8(weight: Tensor) -> Tensor:
  assert False, "this libtorch cannot pack matrices"
  return weight


def linear_int8(x: Tensor, packed: Tensor, scales: Tensor, bias: Optional[Tensor]) -> Tensor:
  assert False, "this libtorch cannot pack matrices"
  return x
