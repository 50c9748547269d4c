# Building blocks. Every block takes (weights, prefix) and reads its own tensors, by their checkpoint names.
#
# Only matrices have the compute type. Residuals, norms, softmax and accumulation are float32 whatever that is: a Linear
# rounds its input to the type of its weight, and adding its output to a float32 residual widens it again.
#
# Letters of the shape comments: B batch, T tokens, t tokens of one sequence, S cached tokens, H heads, D head dim, E hidden size,
# I images, P patches and the class token, L image tokens that the decoder sees.


# The tensors of a checkpoint, by name. What is already of the wanted type and on the device is not copied.
class Weights:
  tensors : Dict[str, Tensor]
  dtype : int
  device : Device
  def __init__(self: __torch__.idefics.nn.Weights, tensors: Dict[str, Tensor], dtype: int, device: Device) -> NoneType:
    self.tensors = tensors
    self.dtype = dtype
    self.device = device
    return None

  # the same tensors for blocks that live on another device
  def on(self: __torch__.idefics.nn.Weights, device: Device) -> __torch__.idefics.nn.Weights:
    return __torch__.idefics.nn.Weights(self.tensors, self.dtype, device)

  def has(self: __torch__.idefics.nn.Weights, name: str) -> bool:
    return name in self.tensors

  # as matrices are multiplied
  def matrix(self: __torch__.idefics.nn.Weights, name: str) -> Tensor:
    return self.tensors[name].to(self.device, self.dtype)

  def float32(self: __torch__.idefics.nn.Weights, name: str) -> Tensor:
    return self.tensors[name].to(self.device, 6)

  # as it is stored, for tables that are only looked up
  def table(self: __torch__.idefics.nn.Weights, name: str) -> Tensor:
    return self.tensors[name].to(self.device)


class Linear:
  weight : Tensor
  bias : Optional[Tensor]
  def __init__(self: __torch__.idefics.nn.Linear, weights: __torch__.idefics.nn.Weights, prefix: str) -> NoneType:
    self.weight = weights.matrix(prefix + ".weight")
    self.bias = None
    if weights.has(prefix + ".bias"):
      self.bias = weights.matrix(prefix + ".bias")
    return None

  # x as this matrix takes it; where several matrices take the same x, it is rounded once for all
  def rounded(self: __torch__.idefics.nn.Linear, x: Tensor) -> Tensor:
    return x.to(self.weight.dtype)

  def forward(self: __torch__.idefics.nn.Linear, x: Tensor) -> Tensor:
    return torch.linear(self.rounded(x), self.weight, self.bias)

  # Without rounding the input: the part that rounding takes off goes through the matrix as well.
  def precise(self: __torch__.idefics.nn.Linear, x: Tensor) -> Tensor:
    rounded = self.rounded(x)
    y = torch.linear(rounded, self.weight, self.bias).to(6)
    if self.weight.dtype != 6:
      y = y + torch.linear(self.rounded(x - rounded.to(6)), self.weight)
    return y


class LayerNorm:
  weight : Tensor
  bias : Tensor
  eps : float
  def __init__(self: __torch__.idefics.nn.LayerNorm, weights: __torch__.idefics.nn.Weights, prefix: str, eps: float) -> NoneType:
    self.weight = weights.float32(prefix + ".weight")
    self.bias = weights.float32(prefix + ".bias")
    self.eps = eps
    return None

  def forward(self: __torch__.idefics.nn.LayerNorm, x: Tensor) -> Tensor:
    return torch.layer_norm(x.to(6), [self.weight.size(0)], self.weight, self.bias, self.eps)


class IdeficsRMSNorm:
  # Zhang and Sennrich, 2019.
  weight : Tensor
  eps : float
  def __init__(self: __torch__.idefics.nn.IdeficsRMSNorm, weights: __torch__.idefics.nn.Weights, prefix: str, eps: float) -> NoneType:
    self.weight = weights.float32(prefix + ".weight")
    self.eps = eps
    return None

  def forward(self: __torch__.idefics.nn.IdeficsRMSNorm, x: Tensor) -> Tensor:
    y = x.to(6)
    return y * torch.rsqrt(y.pow(2).mean([-1], True) + self.eps) * self.weight


class IdeficsMLP:
  # SwiGLU (Shazeer, 2020).
  gate_proj : __torch__.idefics.nn.Linear
  up_proj : __torch__.idefics.nn.Linear
  down_proj : __torch__.idefics.nn.Linear
  def __init__(self: __torch__.idefics.nn.IdeficsMLP, weights: __torch__.idefics.nn.Weights, prefix: str) -> NoneType:
    self.gate_proj = __torch__.idefics.nn.Linear(weights, prefix + ".gate_proj")
    self.up_proj = __torch__.idefics.nn.Linear(weights, prefix + ".up_proj")
    self.down_proj = __torch__.idefics.nn.Linear(weights, prefix + ".down_proj")
    return None

  def forward(self: __torch__.idefics.nn.IdeficsMLP, x: Tensor) -> Tensor:
    x = self.gate_proj.rounded(x)
    gate = torch.silu(self.gate_proj.forward(x).to(6))
    return self.down_proj.forward(gate.mul_(self.up_proj.forward(x)))


def split_heads(x: Tensor, heads: int) -> Tensor:
  return x.view([x.size(0), x.size(1), heads, -1]).transpose(1, 2)  # (B, H, T, D)


def merge_heads(x: Tensor) -> Tensor:
  return x.transpose(1, 2).flatten(2)  # (B, T, H * D)
