# Matrices of 8 and 4 bits, and their products. Letters of the shape comments: N rows and K columns of a matrix, T rows of
# its input, G groups of a row.
#
#   int8: values int8 (N, K), scales float32 (N): a weight is value * scale.
#   int4: values 0..15, two to a byte in the order of the kernels, (N, K / 2); scales (G, N, 2) of the compute type, scale
#     and zero of each group: a weight is (value - 8) * scale + zero.

import __torch__.idefics.kernels


# matrix (N, K) -> values and scales, as bytes on the CPU
def quantize(matrix: Tensor, form: str, group: int, dtype: int, device: Device) -> List[Tensor]:
  if form == "int8":
    values = torch.empty(matrix.size(), dtype=1)
    scales = torch.empty([matrix.size(0)])
  else:
    values = torch.empty([matrix.size(0), matrix.size(1) // 2], dtype=0)
    scales = torch.empty([matrix.size(1) // group, matrix.size(0), 2], dtype=dtype)
  rows = 256  # at a time, so that what is computed on the way stays in the caches; a multiple of every int4 block
  for i in range((matrix.size(0) + rows - 1) // rows):
    start = i * rows
    end = min(start + rows, matrix.size(0))
    part = matrix[start:end].to(6)
    if form == "int8":
      __torch__.idefics.quantization.quantize_int8(part, values[start:end], scales[start:end])
    else:
      __torch__.idefics.quantization.quantize_int4(part, group, device, values[start:end], scales[:, start:end])
  return [__torch__.idefics.quantization.bytes_of(values), __torch__.idefics.quantization.bytes_of(scales)]


def bytes_of(x: Tensor) -> Tensor:
  return torch.empty([0], dtype=0).set_(x, 0, [x.numel() * x.element_size()], [1])


def quantize_int8(matrix: Tensor, values: Tensor, scales: Tensor) -> NoneType:
  scale = matrix.abs().amax([1]).div_(127.).clamp_(min=1e-30)  # (N)
  values.copy_(matrix.div(scale.unsqueeze(1)).round_())
  scales.copy_(scale)
  return None


# Of several ranges around the middle of a group, each a little narrower, the one with the least squared error: a few
# weights that are cut off may cost less than coarser steps for all.
def quantize_int4(matrix: Tensor, group: int, device: Device, values: Tensor, scales: Tensor) -> NoneType:
  groups = matrix.view([matrix.size(0), -1, group])  # (N, G, group)
  low = groups.amin([-1], True)  # (N, G, 1)
  high = groups.amax([-1], True)
  best = torch.full_like(low, 3e38)
  best_scale = torch.ones_like(low)
  best_zero = torch.zeros_like(low)
  for i in range(6):
    width = 1. - 0.06 * i
    # rounded as they are stored, so that the values are chosen for what they will mean
    scale = (high - low).mul_(width / 15.).clamp_(min=1e-30).to(scales.dtype).to(6)
    zero = (high + low).mul_(0.5).add_(scale, alpha=0.5).to(scales.dtype).to(6)  # so that value 7.5 is the middle
    y = groups.sub(zero).div_(scale).round_().clamp_(-8., 7.).mul_(scale).add_(zero)
    error = y.sub_(groups).square_().sum([-1], True)
    better = error < best
    best = torch.where(better, error, best)
    best_scale = torch.where(better, scale, best_scale)
    best_zero = torch.where(better, zero, best_zero)
  q = groups.sub(best_zero).div_(best_scale).round_().clamp_(-8., 7.).add_(8.).view(matrix.size())
  values.copy_(__torch__.idefics.quantization.pack_int4(q, device))
  scales.copy_(torch.cat([best_scale, best_zero], -1).transpose(0, 1))  # (G, N, 2)
  return None


# values 0..15 (N, K) of any type -> uint8 (N, K / 2)
def pack_int4(values: Tensor, device: Device) -> Tensor:
  if device.type == "cuda":
    pairs = values.to(0).view([values.size(0), -1, 2])
    return pairs[:, :, 0].bitwise_left_shift(4).bitwise_or(pairs[:, :, 1])  # the kernels' own order is made when it is there
  else:
    return torch._convert_weight_to_int4pack_for_cpu(values.to(3), 1)


# The order of packed int4 values is not documented, and it depends on the processor. Those that are known: blocks of 64
# or 32 rows, column by column, the second half of a block in the upper bits. 0 is an unknown order.
def int4_block(device: Device) -> int:
  block = 0
  if device.type == "cpu":
    values = (torch.arange(0, 4096, dtype=3) * 7 % 61).bitwise_and(15).view([64, 64])
    packed = __torch__.idefics.quantization.pack_int4(values, device)
    for known in [64, 32]:
      if bool((__torch__.idefics.quantization.unpack_int4(packed, known) == values).all()):
        block = known
  return block


# A name for the order; empty where it is unknown.
def int4_order(device: Device) -> str:
  if device.type == "cuda":
    return "pairs"
  else:
    block = __torch__.idefics.quantization.int4_block(device)
    if block == 0:
      return ""
    else:
      return "blocks of " + str(block)


# (N, K / 2) -> (N, K) in 0..15
def unpack_int4(packed: Tensor, block: int) -> Tensor:
  n = packed.size(0)
  columns = packed.view([n // block, -1, block // 2])  # (N / block, K, block / 2)
  low = columns.bitwise_left_shift(4).bitwise_right_shift(4)  # bitwise_and with a number takes twenty times as long
  values = torch.cat([low, columns.bitwise_right_shift(4)], -1)  # (N / block, K, block)
  return values.transpose(1, 2).reshape([n, -1])


# (N, K) in the type of the scales
def dequantize_int4(packed: Tensor, scales: Tensor, block: int) -> Tensor:
  values = __torch__.idefics.quantization.unpack_int4(packed, block)
  groups = values.view([values.size(0), scales.size(0), -1]).to(scales.dtype)  # (N, G, group)
  s = scales.transpose(0, 1)  # (N, G, 2)
  return groups.sub_(8).mul_(s[:, :, :1]).add_(s[:, :, 1:]).view(values.size())


# x (..., K), values in the order of the kernels -> (..., N) in the type of x, which is that of the scales
def linear_int4(x: Tensor, packed: Tensor, scales: Tensor, bias: Optional[Tensor], block: int) -> Tensor:
  rows = x.reshape([-1, x.size(-1)])  # (T, K)
  k = x.size(-1)
  if x.is_cuda:
    y = torch._weight_int4pack_mm(rows, packed, k // scales.size(0), scales)
  elif rows.size(0) > 96 and block > 0:
    y = torch.empty([rows.size(0), packed.size(0)], dtype=x.dtype)
    for i in range((packed.size(0) + 255) // 256):  # so that what is unpacked stays in the caches
      n = min(256, packed.size(0) - i * 256)
      part = __torch__.idefics.quantization.dequantize_int4(packed.narrow(0, i * 256, n), scales.narrow(1, i * 256, n), block)
      y.narrow(1, i * 256, n).copy_(torch.linear(rows, part))
  else:
    y = torch._weight_int4pack_mm_for_cpu(rows, packed, k // scales.size(0), scales)
  if bias is not None:
    y = y.add_(bias)
  shape = x.size()
  shape[-1] = y.size(1)
  return y.view(shape)


def has_int8_kernel(device: Device) -> bool:
  return device.type == "cpu" and __torch__.idefics.kernels.has_int8()


# x (..., K) of any type -> (..., N), float32 or the type of like
def linear_int8(x: Tensor, values: Tensor, scales: Tensor, bias: Optional[Tensor], like: Tensor) -> Tensor:
  rows = x.reshape([-1, x.size(-1)])  # (T, K)
  if values.is_mkldnn and rows.size(0) > 128:
    y = __torch__.idefics.quantization.linear_two_digits_in_blocks(rows, values, scales, like)
  elif values.is_mkldnn:
    y = __torch__.idefics.quantization.linear_two_digits(rows, values, scales)
  elif rows.size(0) > 24 or values.is_cuda:
    y = torch.linear(rows.to(like.dtype), values.to(like.dtype)).mul_(scales)
  else:
    y = torch._weight_int8pack_mm(rows.to(like.dtype), values, scales.to(like.dtype))
  if bias is not None:
    y = y.add_(bias)
  shape = x.size()
  shape[-1] = y.size(1)
  return y.view(shape)


# The input as two digits to the base 254, each a row of one product, 128 added: its error is below 1/64000 of the largest
# value of a row, where a single digit would be coarser than bfloat16. Both rows share one pass over the matrix.
# Returns float32.
def linear_two_digits(x: Tensor, packed: Tensor, scales: Tensor) -> Tensor:
  t = x.size(0)
  step = x.abs().amax([-1], True).to(6).div_(127.).clamp_(min=1e-30)  # (T, 1)
  y = torch.div(x, step)
  high = y.round()
  digits = torch.empty([2 * t, x.size(1)], dtype=0)
  digits.narrow(0, t, t).copy_(y.sub_(high).mul_(254.).round_().add_(128.))
  digits.narrow(0, 0, t).copy_(high.add_(128.))
  z = __torch__.idefics.kernels.linear_int8(digits, packed, scales, None)  # (2 T, N)
  return torch.add(z.narrow(0, 0, t), z.narrow(0, t, t), alpha=1. / 254.).mul_(step)


# Some rows at a time, so that what is computed on the way stays in the caches. Returns the type of like.
def linear_two_digits_in_blocks(x: Tensor, packed: Tensor, scales: Tensor, like: Tensor) -> Tensor:
  y = torch.empty([x.size(0), scales.size(0)], dtype=like.dtype)
  for i in range((x.size(0) + 127) // 128):
    rows = min(128, x.size(0) - i * 128)
    y.narrow(0, i * 128, rows).copy_(__torch__.idefics.quantization.linear_two_digits(x.narrow(0, i * 128, rows), packed, scales))
  return y
