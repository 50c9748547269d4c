# Building blocks. Every block takes (weights, prefix) and reads its own tensors, by their checkpoint names.
#
# Only matrices have the compute type. Residuals, norms, softmax and accumulation are float32 whatever that is: a Linear
# rounds its input to the type of its weight, and adding its output to a float32 residual widens it again.
#
# Letters of the shape comments: B batch, T tokens, t tokens of one sequence, S cached tokens, H heads, D head dim, E hidden size,
# I images, P patches and the class token, L image tokens that the decoder sees.


import __torch__.idefics.kernels
import __torch__.idefics.quantization


# The tensors of a checkpoint, by name. The host adds them one after the other; those that are copied or converted leave
# nothing of their source in memory.
class Weights:
  tensors : Dict[str, Tensor]
  parts : Dict[str, Tensor]  # of fused matrices that are not complete yet
  dtype : int
  devices : List[Device]  # of each decoder layer
  cross_layer_interval : int
  def __init__(self: __torch__.idefics.nn.Weights, dtype: int, devices: List[Device], cross_layer_interval: int) -> NoneType:
    self.tensors = annotate(Dict[str, Tensor], {})
    self.parts = annotate(Dict[str, Tensor], {})
    self.dtype = dtype
    self.devices = devices
    self.cross_layer_interval = cross_layer_interval
    return None

  # Where a tensor lives: with its decoder layer, or with the one that its gated block stands before; the output with
  # the last layer, all else with the first.
  def device(self: __torch__.idefics.nn.Weights, name: str) -> Device:
    if name.startswith("model.layers."):
      return self.devices[int(name.split(".")[2])]
    elif name.startswith("model.gated_cross_attn_layers."):
      return self.devices[int(name.split(".")[2]) * self.cross_layer_interval]
    elif name.startswith("model.norm.") or name.startswith("lm_head."):
      return self.devices[-1]
    else:
      return self.devices[0]

  # data: begins with the bytes of a tensor whose type is the number stored. form says what becomes of it:
  #   "mapped" stays where it is; "copied" is copied as it is
  #   "plain" is a matrix in the compute type, "packed" one in the order of the kernels
  def add(self: __torch__.idefics.nn.Weights, name: str, data: Tensor, stored: int, shape: List[int], form: str) -> NoneType:
    tensor = __torch__.idefics.nn.viewed(data, stored, shape)
    if form == "mapped":
      self.tensors[name] = tensor.to(self.device(name))
    elif form == "copied":
      self.tensors[name] = tensor.to(self.device(name), copy=True)
    elif form == "plain":
      self.tensors[name] = tensor.to(self.device(name), self.dtype, copy=True)
    else:
      assert form == "packed", "unknown form of a matrix"
      fused = __torch__.idefics.nn.fused_name(name, False)
      matrix = self.complete(name, fused, tensor.to(self.dtype))
      if matrix is not None:
        self.tensors[fused + ":packed"] = __torch__.idefics.kernels.pack(matrix)
    return None

  # All rows of a fused matrix, when part is the last of its parts.
  def complete(self: __torch__.idefics.nn.Weights, name: str, fused: str, part: Tensor) -> Optional[Tensor]:
    names = __torch__.idefics.nn.fused_parts(fused)
    self.parts[name] = part
    for other in names:
      if other not in self.parts:
        self.parts[name] = part.clone()  # the host reuses its memory
        return None
    if len(names) == 1:
      return self.parts.pop(name)
    else:
      return torch.cat([self.parts.pop(other) for other in names])

  # Adds a matrix of n rows and k columns in a form of quantization.py, whose parts are given as bytes. They stay where
  # they are, unless the kernels want another order.
  def add_quantized(self: __torch__.idefics.nn.Weights, name: str, form: str, n: int, k: int, group: int, values: Tensor, scales: Tensor) -> NoneType:
    key = name + ":" + form
    device = self.device(name)
    if form == "int8":
      values = __torch__.idefics.nn.viewed(values, 1, [n, k])
      if __torch__.idefics.quantization.has_int8_kernel(device):
        fused = __torch__.idefics.nn.fused_name(name, True)
        matrix = self.complete(name, fused, values)
        if matrix is not None:
          self.tensors[fused + ":int8"] = __torch__.idefics.kernels.pack_int8(matrix)
      else:
        self.tensors[key] = values.to(device)
      self.tensors[key + ":scales"] = __torch__.idefics.nn.viewed(scales, 6, [n]).to(device)
    else:
      assert form == "int4", "unknown form of a quantized matrix"
      matrix = __torch__.idefics.nn.viewed(values, 0, [n, k // 2])
      if device.type == "cuda":
        matrix = torch._convert_weight_to_int4pack(matrix.to(device), 8)
      self.tensors[key] = matrix
      self.tensors[key + ":scales"] = __torch__.idefics.nn.viewed(scales, self.dtype, [k // group, n, 2]).to(device)
    return None

  # whether there is a tensor of that name, in whatever form
  def has(self: __torch__.idefics.nn.Weights, name: str) -> bool:
    for form in ["", ":packed", ":int8", ":int4"]:
      if name + form in self.tensors:
        return True
    return False

  # as matrices are multiplied
  def matrix(self: __torch__.idefics.nn.Weights, name: str) -> Tensor:
    return self.tensors[name].to(self.device(name), self.dtype)

  # tensors one after the other
  def joined(self: __torch__.idefics.nn.Weights, names: List[str], suffix: str) -> Tensor:
    return torch.cat([self.tensors[name + suffix].to(self.device(name)) for name in names])

  def float32(self: __torch__.idefics.nn.Weights, name: str) -> Tensor:
    return self.tensors[name].to(self.device(name), 6)

  # as it is stored, for tables that are only looked up
  def table(self: __torch__.idefics.nn.Weights, name: str) -> Tensor:
    return self.tensors[name].to(self.device(name))


# Matrices that take the same input lie one under the other in one packed matrix: fewer and larger products. Those of
# bfloat16 leave gate and up apart, which have their own kernels.
#
# The name of the packed matrix that holds the one of that name.
def fused_name(name: str, int8: bool) -> str:
  fused = name
  if name.find(".self_attn.") >= 0:
    for part in [".q_proj.", ".k_proj.", ".v_proj."]:
      fused = fused.replace(part, ".qkv_proj.")
  elif name.find(".cross_attn.") >= 0 or name.find(".perceiver_resampler.") >= 0:
    for part in [".k_proj.", ".v_proj."]:
      fused = fused.replace(part, ".kv_proj.")
  elif int8:
    for part in [".gate_proj.", ".up_proj."]:
      fused = fused.replace(part, ".gate_up_proj.")
  return fused


# The names of what a packed matrix holds, or a prefix of that name.
def fused_parts(name: str) -> List[str]:
  if name.find(".qkv_proj") >= 0:
    return [name.replace(".qkv_proj", ".q_proj"), name.replace(".qkv_proj", ".k_proj"), name.replace(".qkv_proj", ".v_proj")]
  elif name.find(".kv_proj") >= 0:
    return [name.replace(".kv_proj", ".k_proj"), name.replace(".kv_proj", ".v_proj")]
  elif name.find(".gate_up_proj") >= 0:
    return [name.replace(".gate_up_proj", ".gate_proj"), name.replace(".gate_up_proj", ".up_proj")]
  else:
    return [name]


# The tensor that the first bytes of data are: the same memory.
def viewed(data: Tensor, dtype: int, shape: List[int]) -> Tensor:
  count = 1
  for size in shape:
    count = count * size
  return torch.empty([0], dtype=dtype, device=data.device).set_(data, 0, [count], [1]).view(shape)


# x W^T + bias. torch.linear takes as long for 257 rows of bfloat16 as for 512, so those in between go in two parts.
def linear(x: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
  rows = x.numel() // x.size(-1)
  if weight.dtype == 15 and not weight.is_cuda and rows > 256 and rows < 448:
    y = x.reshape([rows, x.size(-1)])
    y = torch.cat([torch.linear(y[:256], weight, bias), torch.linear(y[256:], weight, bias)])
    shape = x.size()
    shape[-1] = weight.size(0)
    return y.view(shape)
  else:
    return torch.linear(x, weight, bias)


class Linear:
  kind : str  # "plain", "packed", "int8", "int4"
  weight : Tensor  # (N, K), or in the order of the kernels of its kind
  scales : Tensor  # of the quantized kinds
  bias : Optional[Tensor]
  like : Tensor  # an empty tensor of the type and on the device of the products
  block : int  # see quantization.int4_block
  def __init__(self: __torch__.idefics.nn.Linear, weights: __torch__.idefics.nn.Weights, prefix: str) -> NoneType:
    name = prefix + ".weight"
    self.like = torch.empty([0], dtype=weights.dtype, device=weights.device(name))
    self.scales = self.like
    self.block = 0
    if name + ":packed" in weights.tensors:
      self.kind = "packed"
      self.weight = weights.tensors[name + ":packed"]
    elif name + ":int8" in weights.tensors:
      self.kind = "int8"
      self.weight = weights.tensors[name + ":int8"]
      self.scales = weights.joined(__torch__.idefics.nn.fused_parts(name), ":int8:scales")
    elif name + ":int4" in weights.tensors:
      self.kind = "int4"
      self.weight = weights.tensors[name + ":int4"]
      self.scales = weights.tensors[name + ":int4:scales"]
      self.block = __torch__.idefics.quantization.int4_block(weights.device(name))
    else:
      self.kind = "plain"
      self.weight = weights.matrix(name)
    self.bias = None
    biases = __torch__.idefics.nn.fused_parts(prefix + ".bias")
    if weights.has(biases[0]):
      self.bias = weights.joined(biases, "").to(self.like.dtype)
    return None

  # x as this matrix takes it; where several matrices take the same x, it is rounded once for all
  def rounded(self: __torch__.idefics.nn.Linear, x: Tensor) -> Tensor:
    if self.kind == "int8":
      return x  # which int8 products do not round
    else:
      return x.to(self.like.dtype)

  def forward(self: __torch__.idefics.nn.Linear, x: Tensor) -> Tensor:
    return self.product(self.rounded(x), self.bias).to(self.like.dtype)

  # x W^T + bias in the type that the kernel gives it: float32 or the compute type
  def product(self: __torch__.idefics.nn.Linear, x: Tensor, bias: Optional[Tensor]) -> Tensor:
    if self.kind == "packed":
      return __torch__.idefics.kernels.linear(x, self.weight, bias, "none", "none")
    elif self.kind == "int8":
      return __torch__.idefics.quantization.linear_int8(x, self.weight, self.scales, bias, self.like)
    elif self.kind == "int4":
      return __torch__.idefics.quantization.linear_int4(x, self.weight, self.scales, bias, self.block)
    else:
      return __torch__.idefics.nn.linear(x, self.weight, bias)

  # Without rounding the input, x (I, ...): the part that rounding takes off goes through the matrix as well.
  def precise(self: __torch__.idefics.nn.Linear, x: Tensor) -> Tensor:
    rounded = self.rounded(x)
    if rounded.dtype == x.dtype:
      return self.product(x, self.bias).to(6)
    else:
      y = self.product(torch.cat([rounded, self.rounded(x - rounded.to(6))]), None).to(6)
      y = y.narrow(0, 0, x.size(0)) + y.narrow(0, x.size(0), x.size(0))
      bias = self.bias
      if bias is not None:
        y = y + bias
      return y

  # silu of the product
  def silu(self: __torch__.idefics.nn.Linear, x: Tensor) -> Tensor:
    x = self.rounded(x)
    if self.kind == "packed":
      return __torch__.idefics.kernels.linear(x, self.weight, self.bias, "swish", "none")
    else:
      return torch.silu(self.product(x, self.bias).to(6))

  # gelu of the product; formula: "none" for the exact one, or "tanh"
  def gelu(self: __torch__.idefics.nn.Linear, x: Tensor, formula: str) -> Tensor:
    x = self.rounded(x)
    if self.kind == "packed":
      return __torch__.idefics.kernels.linear(x, self.weight, self.bias, "gelu", formula)
    else:
      return torch.gelu(self.product(x, self.bias), approximate=formula)

  # the product times other, element by element; other may be overwritten
  def times(self: __torch__.idefics.nn.Linear, x: Tensor, other: Tensor) -> Tensor:
    x = self.rounded(x)
    if self.kind == "packed":
      return __torch__.idefics.kernels.linear_times(x, other.to(x.dtype), self.weight, self.bias)
    else:
      return other.mul_(self.product(x, self.bias))


# Matrices that take the same input. prefix is that of the packed matrix, which holds them all where there is one.
class FusedLinear:
  linears : List[__torch__.idefics.nn.Linear]  # one for all, or one for each
  def __init__(self: __torch__.idefics.nn.FusedLinear, weights: __torch__.idefics.nn.Weights, prefix: str) -> NoneType:
    linears = annotate(List[__torch__.idefics.nn.Linear], [])
    parts = __torch__.idefics.nn.fused_parts(prefix)
    if weights.has(prefix + ".weight"):
      linears.append(__torch__.idefics.nn.Linear(weights, prefix))
    else:
      for part in parts:
        linears.append(__torch__.idefics.nn.Linear(weights, part))
    self.linears = linears
    return None

  # the products with all matrices, side by side
  def forward(self: __torch__.idefics.nn.FusedLinear, x: Tensor) -> Tensor:
    x = self.linears[0].rounded(x)
    if len(self.linears) == 1:
      return self.linears[0].forward(x)
    else:
      return torch.cat([linear.forward(x) for linear in self.linears], -1)

  def precise(self: __torch__.idefics.nn.FusedLinear, x: Tensor) -> Tensor:
    if len(self.linears) == 1:
      return self.linears[0].precise(x)
    else:
      return torch.cat([linear.precise(x) for linear in self.linears], -1)

  # silu(x G^T) * x U^T of the two matrices G and U
  def swiglu(self: __torch__.idefics.nn.FusedLinear, x: Tensor) -> Tensor:
    gate = self.linears[0]
    x = gate.rounded(x)
    if len(self.linears) == 1:
      y = torch.chunk(gate.product(x, gate.bias), 2, -1)
      return torch.silu(y[0]).mul_(y[1])
    else:
      return self.linears[1].times(x, gate.silu(x))


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
  eps : Tensor
  def __init__(self: __torch__.idefics.nn.IdeficsRMSNorm, weights: __torch__.idefics.nn.Weights, prefix: str, eps: float) -> NoneType:
    self.weight = weights.float32(prefix + ".weight")
    self.eps = torch.full([1], eps, device=self.weight.device)
    return None

  def forward(self: __torch__.idefics.nn.IdeficsRMSNorm, x: Tensor) -> Tensor:
    y = x.to(6)
    norm = torch.linalg_vector_norm(y, 2, [-1], True)
    return (y * torch.addcmul(self.eps, norm, norm, value=1. / y.size(-1)).rsqrt_()).mul_(self.weight)


class IdeficsMLP:
  # SwiGLU (Shazeer, 2020).
  gate_up_proj : __torch__.idefics.nn.FusedLinear
  down_proj : __torch__.idefics.nn.Linear
  def __init__(self: __torch__.idefics.nn.IdeficsMLP, weights: __torch__.idefics.nn.Weights, prefix: str) -> NoneType:
    self.gate_up_proj = __torch__.idefics.nn.FusedLinear(weights, prefix + ".gate_up_proj")
    self.down_proj = __torch__.idefics.nn.Linear(weights, prefix + ".down_proj")
    return None

  def forward(self: __torch__.idefics.nn.IdeficsMLP, x: Tensor) -> Tensor:
    return self.down_proj.forward(self.gate_up_proj.swiglu(x))


def split_heads(x: Tensor, heads: int) -> Tensor:
  return x.view([x.size(0), x.size(1), heads, -1]).transpose(1, 2)  # (B, H, T, D)


def merge_heads(x: Tensor) -> Tensor:
  return x.transpose(1, 2).flatten(2)  # (B, T, H * D)
