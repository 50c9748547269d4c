# The decoder of IDEFICS (Laurencon et al., 2023): LLaMA layers (Touvron et al., 2023) with gated cross-attention blocks
# (Alayrac et al., 2022) in front of every cross_layer_interval-th of them. Letters of the shape comments: nn.py.

import __torch__.idefics.configuration
import __torch__.idefics.attention
import __torch__.idefics.kernels
import __torch__.idefics.quantization
import __torch__.idefics.nn
import __torch__.idefics.vision
import __torch__.idefics.perceiver


# Keys and values in slots, kept on the device of the layer that they belong to. Which sequence or image owns which slot
# is the host's affair: the program reads and writes the slots that a step names. Nothing is ever moved or grown. All of it
# is written once at the start, so that the memory is there and no later step has to wait for it.
class Slots:
  keys : List[Tensor]
  values : List[Tensor]
  def __init__(self: __torch__.idefics.modeling.Slots) -> NoneType:
    self.keys = annotate(List[Tensor], [])
    self.values = annotate(List[Tensor], [])
    return None

  def add_layer(self: __torch__.idefics.modeling.Slots, size: List[int], dtype: int, device: Device) -> NoneType:
    self.keys.append(torch.zeros(size, dtype=dtype, device=device))
    self.values.append(torch.zeros(size, dtype=dtype, device=device))
    return None


# The next tokens of some sequences, one after the other and without padding: T tokens in all.
#   rows: for each sequence its first token, the end of its tokens, and its first run and the end of its runs, and so on
#   runs: first slot and end of each run of cached tokens that all tokens of a row attend to, and so on
#   spans: first token, end and image slot for each stretch of tokens that see one image, and so on
# A row of one token has its own slot among its runs. A longer one has not: its tokens attend to one another causally.
class Batch:
  token_slots : Tensor
  cos : Tensor
  sin : Tensor
  rows : List[int]
  runs : List[int]
  spans : List[int]
  def __init__(self: __torch__.idefics.modeling.Batch, token_slots: Tensor, cos: Tensor, sin: Tensor, rows: List[int], runs: List[int], spans: List[int]) -> NoneType:
    self.token_slots = token_slots  # (T)
    self.cos = cos  # (T, D / 2)
    self.sin = sin  # (T, D / 2)
    self.rows = rows
    self.runs = runs
    self.spans = spans
    return None

  def to(self: __torch__.idefics.modeling.Batch, device: Device) -> __torch__.idefics.modeling.Batch:
    return __torch__.idefics.modeling.Batch(self.token_slots.to(device), self.cos.to(device), self.sin.to(device), self.rows, self.runs, self.spans)


# The vocabulary in two tables: the language model's own, and the tokens that IDEFICS added.
class IdeficsDecoupledEmbedding:
  weight : Tensor
  additional_embedding : Optional[Tensor]
  def __init__(self: __torch__.idefics.modeling.IdeficsDecoupledEmbedding, weights: __torch__.idefics.nn.Weights, prefix: str) -> NoneType:
    self.weight = weights.table(prefix + ".weight")
    self.additional_embedding = None
    if weights.has(prefix + ".additional_embedding.weight"):
      self.additional_embedding = weights.table(prefix + ".additional_embedding.weight")
    return None

  def forward(self: __torch__.idefics.modeling.IdeficsDecoupledEmbedding, input_ids: Tensor) -> Tensor:
    additional = self.additional_embedding
    if additional is None:
      return torch.embedding(self.weight, input_ids).to(6)  # (T, E)
    else:
      vocab_size = self.weight.size(0)
      own = torch.embedding(self.weight, input_ids.clamp(max=vocab_size - 1)).to(6)
      added = torch.embedding(additional, (input_ids - vocab_size).clamp(min=0)).to(6)
      return torch.where((input_ids < vocab_size).unsqueeze(-1), own, added)  # (T, E)


class IdeficsDecoupledLinear:
  linear : __torch__.idefics.nn.Linear
  additional_fc : Optional[__torch__.idefics.nn.Linear]
  def __init__(self: __torch__.idefics.modeling.IdeficsDecoupledLinear, weights: __torch__.idefics.nn.Weights, prefix: str) -> NoneType:
    self.linear = __torch__.idefics.nn.Linear(weights, prefix)
    self.additional_fc = None
    if weights.has(prefix + ".additional_fc.weight"):
      self.additional_fc = __torch__.idefics.nn.Linear(weights, prefix + ".additional_fc")
    return None

  def forward(self: __torch__.idefics.modeling.IdeficsDecoupledLinear, x: Tensor) -> Tensor:
    logits = self.linear.forward(x).to(6)
    additional_fc = self.additional_fc
    if additional_fc is not None:
      logits = torch.cat([logits, additional_fc.forward(x).to(6)], -1)
    return logits  # (T, vocabulary)


# Rotary position embedding (Su et al., 2021), half-rotation form.
class IdeficsEmbedding:
  inv_freq : Tensor
  def __init__(self: __torch__.idefics.modeling.IdeficsEmbedding, head_dim: int, device: Device) -> NoneType:
    exponents = torch.arange(0, head_dim, 2, dtype=6, device=device) / head_dim
    self.inv_freq = torch.reciprocal(torch.pow(10000., exponents))
    return None

  # position_ids (T) -> cos and sin, each (T, D / 2): both halves of a head turn by the same angles
  def forward(self: __torch__.idefics.modeling.IdeficsEmbedding, position_ids: Tensor) -> Tuple[Tensor, Tensor]:
    angles = position_ids.to(6).unsqueeze(-1) * self.inv_freq
    return (angles.cos(), angles.sin())


# x (H, T, D); cos and sin (T, D / 2)
def apply_rotary_pos_emb(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
  half = x.size(-1) // 2
  y = x.to(6)
  first = y.narrow(-1, 0, half)
  second = y.narrow(-1, half, half)
  rotated = torch.empty(x.size(), dtype=x.dtype, device=x.device)
  rotated.narrow(-1, 0, half).copy_((first * cos).addcmul_(second, sin, value=-1))
  rotated.narrow(-1, half, half).copy_((second * cos).addcmul_(first, sin))
  return rotated


class IdeficsAttention:
  qkv_proj : __torch__.idefics.nn.FusedLinear
  o_proj : __torch__.idefics.nn.Linear
  heads : int
  layer : int
  def __init__(self: __torch__.idefics.modeling.IdeficsAttention, weights: __torch__.idefics.nn.Weights, prefix: str, config: __torch__.idefics.configuration.IdeficsConfig, layer: int) -> NoneType:
    self.qkv_proj = __torch__.idefics.nn.FusedLinear(weights, prefix + ".qkv_proj")
    self.o_proj = __torch__.idefics.nn.Linear(weights, prefix + ".o_proj")
    self.heads = config.num_attention_heads
    self.layer = layer
    return None

  # x (T, E)
  def forward(self: __torch__.idefics.modeling.IdeficsAttention, x: Tensor, batch: __torch__.idefics.modeling.Batch, cache: __torch__.idefics.modeling.Slots) -> Tensor:
    qkv = self.qkv_proj.forward(x).view([x.size(0), 3 * self.heads, -1]).transpose(0, 1)  # (3 H, T, D)
    qk = __torch__.idefics.modeling.apply_rotary_pos_emb(qkv.narrow(0, 0, 2 * self.heads), batch.cos, batch.sin)
    q = qk.narrow(0, 0, self.heads).unsqueeze(0)  # (1, H, T, D)
    k = qk.narrow(0, self.heads, self.heads)  # (H, T, D)
    v = qkv.narrow(0, 2 * self.heads, self.heads)  # (H, T, D)
    keys = cache.keys[self.layer]  # (H, slots, D)
    values = cache.values[self.layer]  # (H, slots, D)
    tokens = batch.token_slots.size(0)
    keys.index_copy_(1, batch.token_slots, k.narrow(1, 0, tokens).to(keys.dtype))
    values.index_copy_(1, batch.token_slots, v.narrow(1, 0, tokens).to(values.dtype))
    outputs = annotate(List[Tensor], [])
    for i in range(len(batch.rows) // 4):
      start = batch.rows[4 * i]
      end = batch.rows[4 * i + 1]
      attention = __torch__.idefics.attention.Attention(q.narrow(2, start, end - start))
      for j in range(batch.rows[4 * i + 2], batch.rows[4 * i + 3]):
        first = batch.runs[2 * j]
        count = batch.runs[2 * j + 1] - first
        attention.attend(keys.narrow(1, first, count).unsqueeze(0), values.narrow(1, first, count).unsqueeze(0), False)
      if end - start > 1:
        attention.attend(k.narrow(1, start, end - start).unsqueeze(0), v.narrow(1, start, end - start).unsqueeze(0), True)
      outputs.append(attention.output().squeeze(0).transpose(0, 1))  # (t, H, D)
    if x.size(0) > tokens:
      outputs.append(torch.zeros([x.size(0) - tokens, self.heads, q.size(3)], dtype=q.dtype, device=q.device))
    return self.o_proj.forward(__torch__.idefics.modeling.joined(outputs).flatten(1))  # (T, E)


def joined(parts: List[Tensor]) -> Tensor:
  if len(parts) == 1:
    return parts[0]
  else:
    return torch.cat(parts)


class IdeficsCrossAttention:
  q_proj : __torch__.idefics.nn.Linear
  kv_proj : __torch__.idefics.nn.FusedLinear
  o_proj : __torch__.idefics.nn.Linear
  q_layer_norm : Optional[__torch__.idefics.nn.IdeficsRMSNorm]
  k_layer_norm : Optional[__torch__.idefics.nn.IdeficsRMSNorm]
  heads : int
  layer : int
  def __init__(self: __torch__.idefics.modeling.IdeficsCrossAttention, weights: __torch__.idefics.nn.Weights, prefix: str, config: __torch__.idefics.configuration.IdeficsConfig, layer: int) -> NoneType:
    self.q_proj = __torch__.idefics.nn.Linear(weights, prefix + ".q_proj")
    self.kv_proj = __torch__.idefics.nn.FusedLinear(weights, prefix + ".kv_proj")
    self.o_proj = __torch__.idefics.nn.Linear(weights, prefix + ".o_proj")
    self.q_layer_norm = None
    self.k_layer_norm = None
    if config.qk_layer_norms:
      self.q_layer_norm = __torch__.idefics.nn.IdeficsRMSNorm(weights, prefix + ".q_layer_norm", config.rms_norm_eps)
      self.k_layer_norm = __torch__.idefics.nn.IdeficsRMSNorm(weights, prefix + ".k_layer_norm", config.rms_norm_eps)
    self.heads = config.num_attention_heads
    self.layer = layer
    return None

  # image_hidden_states (I, L, vision width) -> keys and values of the images in their slots
  def store_images(self: __torch__.idefics.modeling.IdeficsCrossAttention, image_hidden_states: Tensor, slots: List[int], images: __torch__.idefics.modeling.Slots) -> NoneType:
    kv = torch.chunk(self.kv_proj.precise(image_hidden_states), 2, -1)
    k = __torch__.idefics.nn.split_heads(kv[0], self.heads)  # (I, H, L, D)
    v = __torch__.idefics.nn.split_heads(kv[1], self.heads)  # (I, H, L, D)
    k_layer_norm = self.k_layer_norm
    if k_layer_norm is not None:
      k = k_layer_norm.forward(k)
    for i in range(len(slots)):
      images.keys[self.layer][slots[i]] = k[i]
      images.values[self.layer][slots[i]] = v[i]
    return None

  # x (T, E). The result is zero for every token that sees no image: the cross-attention gate of the reference.
  def forward(self: __torch__.idefics.modeling.IdeficsCrossAttention, x: Tensor, spans: List[int], images: __torch__.idefics.modeling.Slots) -> Tensor:
    q = self.q_proj.forward(x).view([x.size(0), self.heads, -1])  # (T, H, D)
    q_layer_norm = self.q_layer_norm
    if q_layer_norm is not None:
      q = q_layer_norm.forward(q)
    q = q.to(6).transpose(0, 1).unsqueeze(0)  # (1, H, T, D)
    y = torch.zeros([x.size(0), self.heads, q.size(3)], dtype=6, device=q.device)  # (T, H, D)
    for i in range(len(spans) // 3):
      start = spans[3 * i]
      end = spans[3 * i + 1]
      image = spans[3 * i + 2]
      seen = torch.scaled_dot_product_attention(
          q[:, :, start:end], images.keys[self.layer][image:image + 1], images.values[self.layer][image:image + 1])
      y[start:end] = seen.squeeze(0).transpose(0, 1)
    return self.o_proj.forward(y.flatten(1))  # (T, E)


class IdeficsGatedCrossAttentionLayer:
  input_layernorm : __torch__.idefics.nn.IdeficsRMSNorm
  cross_attn : __torch__.idefics.modeling.IdeficsCrossAttention
  alpha_cross_attn : Tensor
  post_attention_layernorm : __torch__.idefics.nn.IdeficsRMSNorm
  mlp : __torch__.idefics.nn.IdeficsMLP
  alpha_dense : Tensor
  def __init__(self: __torch__.idefics.modeling.IdeficsGatedCrossAttentionLayer, weights: __torch__.idefics.nn.Weights, prefix: str, config: __torch__.idefics.configuration.IdeficsConfig, layer: int) -> NoneType:
    self.input_layernorm = __torch__.idefics.nn.IdeficsRMSNorm(weights, prefix + ".input_layernorm", config.rms_norm_eps)
    self.cross_attn = __torch__.idefics.modeling.IdeficsCrossAttention(weights, prefix + ".cross_attn", config, layer)
    self.alpha_cross_attn = weights.float32(prefix + ".alpha_cross_attn").tanh().flatten()  # (1) or (E)
    self.post_attention_layernorm = __torch__.idefics.nn.IdeficsRMSNorm(weights, prefix + ".post_attention_layernorm", config.rms_norm_eps)
    self.mlp = __torch__.idefics.nn.IdeficsMLP(weights, prefix + ".mlp")
    self.alpha_dense = weights.float32(prefix + ".alpha_dense").tanh().flatten()  # (1) or (E)
    return None

  # Only the attention half depends on images; the dense half runs for every token, in pure text too.
  def forward(self: __torch__.idefics.modeling.IdeficsGatedCrossAttentionLayer, x: Tensor, spans: List[int], images: __torch__.idefics.modeling.Slots) -> Tensor:
    if len(spans) > 0:
      y = self.cross_attn.forward(self.input_layernorm.forward(x), spans, images)
      x = x + self.alpha_cross_attn * y
    return x + self.alpha_dense * self.mlp.forward(self.post_attention_layernorm.forward(x))


class IdeficsDecoderLayer:
  input_layernorm : __torch__.idefics.nn.IdeficsRMSNorm
  self_attn : __torch__.idefics.modeling.IdeficsAttention
  post_attention_layernorm : __torch__.idefics.nn.IdeficsRMSNorm
  mlp : __torch__.idefics.nn.IdeficsMLP
  def __init__(self: __torch__.idefics.modeling.IdeficsDecoderLayer, weights: __torch__.idefics.nn.Weights, prefix: str, config: __torch__.idefics.configuration.IdeficsConfig, layer: int) -> NoneType:
    self.input_layernorm = __torch__.idefics.nn.IdeficsRMSNorm(weights, prefix + ".input_layernorm", config.rms_norm_eps)
    self.self_attn = __torch__.idefics.modeling.IdeficsAttention(weights, prefix + ".self_attn", config, layer)
    self.post_attention_layernorm = __torch__.idefics.nn.IdeficsRMSNorm(weights, prefix + ".post_attention_layernorm", config.rms_norm_eps)
    self.mlp = __torch__.idefics.nn.IdeficsMLP(weights, prefix + ".mlp")
    return None

  def forward(self: __torch__.idefics.modeling.IdeficsDecoderLayer, x: Tensor, batch: __torch__.idefics.modeling.Batch, cache: __torch__.idefics.modeling.Slots) -> Tensor:
    x = x + self.self_attn.forward(self.input_layernorm.forward(x), batch, cache)
    return x + self.mlp.forward(self.post_attention_layernorm.forward(x))


class IdeficsModel:
  config : __torch__.idefics.configuration.IdeficsConfig
  dtype : int
  devices : List[Device]
  vision_model : __torch__.idefics.vision.IdeficsVisionTransformer
  perceiver_resampler : Optional[__torch__.idefics.perceiver.IdeficsPerceiverResampler]
  embed_tokens : __torch__.idefics.modeling.IdeficsDecoupledEmbedding
  rotary_emb : __torch__.idefics.modeling.IdeficsEmbedding
  gated_cross_attn_layers : List[__torch__.idefics.modeling.IdeficsGatedCrossAttentionLayer]
  layers : List[__torch__.idefics.modeling.IdeficsDecoderLayer]
  norm : __torch__.idefics.nn.IdeficsRMSNorm
  def __init__(self: __torch__.idefics.modeling.IdeficsModel, weights: __torch__.idefics.nn.Weights, prefix: str, config: __torch__.idefics.configuration.IdeficsConfig) -> NoneType:
    self.config = config
    self.dtype = weights.dtype
    self.devices = weights.devices
    self.vision_model = __torch__.idefics.vision.IdeficsVisionTransformer(weights, prefix + ".vision_model", config)
    self.perceiver_resampler = None
    if config.use_resampler:
      self.perceiver_resampler = __torch__.idefics.perceiver.IdeficsPerceiverResampler(weights, prefix + ".perceiver_resampler", config)
    self.embed_tokens = __torch__.idefics.modeling.IdeficsDecoupledEmbedding(weights, prefix + ".embed_tokens")
    head_dim = config.hidden_size // config.num_attention_heads
    self.rotary_emb = __torch__.idefics.modeling.IdeficsEmbedding(head_dim, self.devices[0])
    gated_cross_attn_layers = annotate(List[__torch__.idefics.modeling.IdeficsGatedCrossAttentionLayer], [])
    layers = annotate(List[__torch__.idefics.modeling.IdeficsDecoderLayer], [])
    for i in range(config.num_hidden_layers):
      if i % config.cross_layer_interval == 0 and len(gated_cross_attn_layers) < config.num_hidden_layers // config.cross_layer_interval:
        g = i // config.cross_layer_interval
        gated_cross_attn_layers.append(__torch__.idefics.modeling.IdeficsGatedCrossAttentionLayer(weights, prefix + ".gated_cross_attn_layers." + str(g), config, g))
      layers.append(__torch__.idefics.modeling.IdeficsDecoderLayer(weights, prefix + ".layers." + str(i), config, i))
    self.gated_cross_attn_layers = gated_cross_attn_layers
    self.layers = layers
    self.norm = __torch__.idefics.nn.IdeficsRMSNorm(weights, prefix + ".norm", config.rms_norm_eps)
    return None

  # Runs the next layers of the vision tower, and after them blocks of the resampler; true when all have run. What
  # cross-attention reads is then there as the latents.
  def encode(self: __torch__.idefics.modeling.IdeficsModel, encoding: __torch__.idefics.vision.ImageEncoding, layers: int) -> bool:
    blocks = layers - self.vision_model.advance(encoding, layers)
    perceiver_resampler = self.perceiver_resampler
    if encoding.layer < len(self.vision_model.layers):
      return False
    elif perceiver_resampler is not None:
      return perceiver_resampler.advance(encoding, blocks)
    else:
      encoding.latents = encoding.states()
      return True

  # Room for the keys and values of so many tokens.
  def token_cache(self: __torch__.idefics.modeling.IdeficsModel, slots: int) -> __torch__.idefics.modeling.Slots:
    heads = self.config.num_attention_heads
    cache = __torch__.idefics.modeling.Slots()
    for device in self.devices:
      cache.add_layer([heads, slots, self.config.hidden_size // heads], self.dtype, device)
    return cache

  # Room for the keys and values of so many images, each of so many latents.
  def image_cache(self: __torch__.idefics.modeling.IdeficsModel, slots: int, latents: int) -> __torch__.idefics.modeling.Slots:
    heads = self.config.num_attention_heads
    cache = __torch__.idefics.modeling.Slots()
    for g in range(len(self.gated_cross_attn_layers)):
      device = self.devices[g * self.config.cross_layer_interval]
      cache.add_layer([slots, heads, latents, self.config.hidden_size // heads], 6, device)
    return cache

  # image_hidden_states (I, L, vision width) -> keys and values of every gated block, in the slots of the images
  def store_images(self: __torch__.idefics.modeling.IdeficsModel, image_hidden_states: Tensor, slots: List[int], images: __torch__.idefics.modeling.Slots) -> NoneType:
    for layer in self.gated_cross_attn_layers:
      layer.cross_attn.store_images(image_hidden_states.to(images.keys[layer.cross_attn.layer].device), slots, images)
    return None

  # input_ids, position_ids, token_slots (T); trace, where given, receives the residual stream after every block
  def forward(self: __torch__.idefics.modeling.IdeficsModel, input_ids: Tensor, position_ids: Tensor, token_slots: Tensor, rows: List[int], runs: List[int], spans: List[int], cache: __torch__.idefics.modeling.Slots, images: __torch__.idefics.modeling.Slots, trace: Optional[List[Tensor]]) -> Tensor:
    device = self.devices[0]
    cos, sin = self.rotary_emb.forward(position_ids.to(device))
    batch = __torch__.idefics.modeling.Batch(token_slots.to(device), cos, sin, rows, runs, spans)
    x = self.embed_tokens.forward(input_ids.to(device))  # (T, E)
    padding = self.padding(x.size(0))
    if padding > 0:
      x = torch.constant_pad_nd(x, [0, 0, 0, padding])
      batch.cos = torch.constant_pad_nd(batch.cos, [0, 0, 0, padding])
      batch.sin = torch.constant_pad_nd(batch.sin, [0, 0, 0, padding])
    for i in range(len(self.layers)):
      if self.devices[i] != device:
        device = self.devices[i]
        batch = batch.to(device)
        x = x.to(device)
      g = i // self.config.cross_layer_interval
      if i % self.config.cross_layer_interval == 0 and g < len(self.gated_cross_attn_layers):
        x = self.gated_cross_attn_layers[g].forward(x, batch.spans, images)
        if trace is not None:
          trace.append(x[:input_ids.size(0)])
      x = self.layers[i].forward(x, batch, cache)
      if trace is not None:
        trace.append(x[:input_ids.size(0)])
    return x[:input_ids.size(0)]

  # Rows that are added to the tokens of a step: the matrix kernels of oneDNN are fast for some numbers of rows, and up to
  # twice as slow in between. Nobody sees the added rows.
  def padding(self: __torch__.idefics.modeling.IdeficsModel, tokens: int) -> int:
    if self.dtype != 15 or self.devices[0].type == "cuda" or tokens <= 2:
      return 0
    elif tokens <= 16:
      return -tokens % 8
    else:
      return -tokens % 32


class IdeficsForVisionText2Text(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  config : __torch__.idefics.configuration.IdeficsConfig
  model : Optional[__torch__.idefics.modeling.IdeficsModel]
  lm_head : Optional[__torch__.idefics.modeling.IdeficsDecoupledLinear]
  cache : Optional[__torch__.idefics.modeling.Slots]
  images : Optional[__torch__.idefics.modeling.Slots]
  latents : Optional[Tensor]
  encoding : Optional[__torch__.idefics.vision.ImageEncoding]

  # Whether matrices of bfloat16 can be packed on this machine.
  def has_packed(self: __torch__.idefics.modeling.IdeficsForVisionText2Text) -> bool:
    return __torch__.idefics.kernels.has_packed()

  # Whether products of int8 matrices are exact on this machine.
  def has_int8(self: __torch__.idefics.modeling.IdeficsForVisionText2Text) -> bool:
    return __torch__.idefics.kernels.has_int8()

  # The tensors that load takes; add_weight fills them. dtype is that of matrices, layer_devices the place of each decoder
  # layer, with commas between.
  def new_weights(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, dtype: int, layer_devices: str) -> __torch__.idefics.nn.Weights:
    devices = annotate(List[Device], [])
    for name in layer_devices.split(","):
      devices.append(torch.device(name))
    return __torch__.idefics.nn.Weights(dtype, devices, self.config.cross_layer_interval)

  def add_weight(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, weights: __torch__.idefics.nn.Weights, name: str, data: Tensor, stored: int, shape: List[int], form: str) -> NoneType:
    weights.add(name, data, stored, shape, form)
    return None

  # The parts of a quantized matrix, values and scales, as bytes; data as in add_weight.
  def quantize(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, weights: __torch__.idefics.nn.Weights, data: Tensor, stored: int, shape: List[int], form: str, group: int) -> List[Tensor]:
    matrix = __torch__.idefics.nn.viewed(data, stored, shape)
    return __torch__.idefics.quantization.quantize(matrix, form, group, weights.dtype, weights.devices[0])

  # group is that of quantize, or 0
  def add_quantized(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, weights: __torch__.idefics.nn.Weights, name: str, form: str, shape: List[int], group: int, values: Tensor, scales: Tensor) -> NoneType:
    weights.add_quantized(name, form, shape[0], shape[1], group, values, scales)
    return None

  # Which order the values of int4 matrices have on a device: they can be used where it is the same.
  def int4_order(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, device: str) -> str:
    return __torch__.idefics.quantization.int4_order(torch.device(device))

  def load(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, weights: __torch__.idefics.nn.Weights) -> NoneType:
    self.model = __torch__.idefics.modeling.IdeficsModel(weights, "model", self.config)
    self.lm_head = __torch__.idefics.modeling.IdeficsDecoupledLinear(weights, "lm_head")
    return None

  def loaded(self: __torch__.idefics.modeling.IdeficsForVisionText2Text) -> __torch__.idefics.modeling.IdeficsModel:
    model = self.model
    assert model is not None, "the weights are not loaded"
    return model

  # Makes room for the keys and values of tokens, for those of images, and for latents; each slot is of one of them.
  def allocate(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, token_slots: int, image_slots: int, latent_slots: int, latents: int) -> NoneType:
    model = self.loaded()
    self.cache = model.token_cache(token_slots)
    self.images = model.image_cache(image_slots, latents)
    width = model.vision_model.pre_layrnorm.weight.size(0)
    self.latents = torch.empty([latent_slots, latents, width], dtype=6, device=model.devices[0])
    return None

  # pixel_values (I, 3, size, size) enter the vision tower.
  def begin_encoding(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, pixel_values: Tensor) -> NoneType:
    model = self.loaded()
    self.encoding = model.vision_model.begin(pixel_values.to(model.devices[0]))
    return None

  # Runs the next layers of the vision tower and blocks of the resampler; true when the images are through.
  def advance_encoding(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, layers: int) -> bool:
    encoding = self.encoding
    assert encoding is not None, "no images are in the vision tower"
    return self.loaded().encode(encoding, layers)

  # Stores the latents of the images that are through.
  def end_encoding(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, slots: List[int]) -> NoneType:
    encoding = self.encoding
    latents = self.latents
    assert encoding is not None, "no images are in the vision tower"
    assert latents is not None, "the caches are not allocated"
    states = encoding.latents
    assert states is not None, "the images are not through"
    for i in range(len(slots)):
      latents[slots[i]] = states[i]
    self.encoding = None
    return None

  def abandon_encoding(self: __torch__.idefics.modeling.IdeficsForVisionText2Text) -> NoneType:
    self.encoding = None
    return None

  # Computes the keys and values of images from their latents.
  def project_images(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, latent_slots: List[int], image_slots: List[int]) -> NoneType:
    latents = self.latents
    images = self.images
    assert latents is not None and images is not None, "the caches are not allocated"
    states = torch.stack([latents[slot] for slot in latent_slots])
    self.loaded().store_images(states, image_slots, images)
    return None

  # Runs the next tokens of some sequences and stores their keys and values in the slots of the tokens.
  #   input_ids, position_ids, token_slots (T); rows, runs and spans as in Batch
  #   logit_tokens: the tokens whose logits are wanted
  # Returns float32 logits (len(logit_tokens), vocabulary) on the CPU.
  def forward(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, input_ids: Tensor, position_ids: Tensor, token_slots: Tensor, rows: List[int], runs: List[int], spans: List[int], logit_tokens: Tensor) -> Tensor:
    trace = annotate(Optional[List[Tensor]], None)
    x = self.decode(input_ids, position_ids, token_slots, rows, runs, spans, trace)
    x = self.loaded().norm.forward(x.index_select(0, logit_tokens.to(x.device)))
    lm_head = self.lm_head
    assert lm_head is not None, "the weights are not loaded"
    return lm_head.forward(x).to(torch.device("cpu"))

  # Like forward, but returns the residual stream after every block, gated and plain in turn, then after the final norm.
  def hidden_states(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, input_ids: Tensor, position_ids: Tensor, token_slots: Tensor, rows: List[int], runs: List[int], spans: List[int]) -> List[Tensor]:
    trace = annotate(List[Tensor], [])
    x = self.decode(input_ids, position_ids, token_slots, rows, runs, spans, trace)
    trace.append(self.loaded().norm.forward(x))
    return trace

  def decode(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, input_ids: Tensor, position_ids: Tensor, token_slots: Tensor, rows: List[int], runs: List[int], spans: List[int], trace: Optional[List[Tensor]]) -> Tensor:
    cache = self.cache
    images = self.images
    assert cache is not None and images is not None, "the caches are not allocated"
    return self.loaded().forward(input_ids, position_ids, token_slots, rows, runs, spans, cache, images, trace)

  # pixel_values (I, 3, size, size) -> (I, P, vision width)
  def vision(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, pixel_values: Tensor) -> Tensor:
    model = self.loaded()
    encoding = model.vision_model.begin(pixel_values.to(model.devices[0]))
    model.vision_model.advance(encoding, len(model.vision_model.layers))
    return encoding.states()

  # vision_states (I, P, vision width) -> (I, L, vision width)
  def resample(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, vision_states: Tensor) -> Tensor:
    model = self.loaded()
    encoding = __torch__.idefics.vision.ImageEncoding(vision_states)
    encoding.layer = len(model.vision_model.layers)
    model.encode(encoding, model.config.resampler_depth)
    latents = encoding.latents
    assert latents is not None, "the resampler is not through"
    return latents
