# The decoder of IDEFICS (Laurencon et al., 2023): LLaMA layers (Touvron et al., 2023) with gated cross-attention blocks
# (Alayrac et al., 2022) in front of every cross_layer_interval-th of them. Letters of the shape comments: nn.py.

import __torch__.idefics.configuration
import __torch__.idefics.nn
import __torch__.idefics.vision
import __torch__.idefics.perceiver


# Keys and values of the decoder's self-attention for all tokens so far, one pair a layer, each (B, H, capacity, D).
class KeyValueCache:
  keys : List[Tensor]
  values : List[Tensor]
  length : int
  capacity : int
  def __init__(self: __torch__.idefics.modeling.KeyValueCache, rows: int, like: Tensor, config: __torch__.idefics.configuration.IdeficsConfig) -> NoneType:
    head_dim = config.hidden_size // config.num_attention_heads
    keys = annotate(List[Tensor], [])
    values = annotate(List[Tensor], [])
    for i in range(config.num_hidden_layers):
      keys.append(torch.empty([rows, config.num_attention_heads, 0, head_dim], dtype=like.dtype, device=like.device))
      values.append(torch.empty([rows, config.num_attention_heads, 0, head_dim], dtype=like.dtype, device=like.device))
    self.keys = keys
    self.values = values
    self.length = 0
    self.capacity = 0
    return None

  # Makes room for this many tokens more. Grows in steps, so that most tokens cost no copy.
  def reserve(self: __torch__.idefics.modeling.KeyValueCache, tokens: int) -> NoneType:
    needed = self.length + tokens
    if needed > self.capacity:
      capacity = (max(needed, self.capacity + self.capacity // 2) + 63) // 64 * 64
      for i in range(len(self.keys)):
        self.keys[i] = self.grown(self.keys[i], capacity)
        self.values[i] = self.grown(self.values[i], capacity)
      self.capacity = capacity
    return None

  def grown(self: __torch__.idefics.modeling.KeyValueCache, old: Tensor, capacity: int) -> Tensor:
    new = torch.empty([old.size(0), old.size(1), capacity, old.size(3)], dtype=old.dtype, device=old.device)
    if self.length > 0:
      new[:, :, :self.length] = old[:, :, :self.length]
    return new

  # Appends k and v, (B, H, T, D), and returns all keys and values of the layer, (B, H, S, D).
  def update(self: __torch__.idefics.modeling.KeyValueCache, layer: int, k: Tensor, v: Tensor) -> Tuple[Tensor, Tensor]:
    end = self.length + k.size(2)
    keys = self.keys[layer]
    values = self.values[layer]
    keys[:, :, self.length:end] = k
    values[:, :, self.length:end] = v
    return (keys[:, :, :end], values[:, :, :end])


# What the decoder sees of images: keys and values of every gated block, each (I, H, L, D). Computed once an image.
class ImageStates:
  keys : List[Tensor]
  values : List[Tensor]
  def __init__(self: __torch__.idefics.modeling.ImageStates) -> NoneType:
    self.keys = annotate(List[Tensor], [])
    self.values = annotate(List[Tensor], [])
    return None


# Which tokens see which image: tokens start..end of a row see one image and no other.
class ImageSpans:
  rows : List[int]
  starts : List[int]
  ends : List[int]
  images : List[int]
  # spans: row, start, end, image, and so on
  def __init__(self: __torch__.idefics.modeling.ImageSpans, spans: List[int]) -> NoneType:
    rows = annotate(List[int], [])
    starts = annotate(List[int], [])
    ends = annotate(List[int], [])
    images = annotate(List[int], [])
    for i in range(len(spans) // 4):
      rows.append(spans[4 * i])
      starts.append(spans[4 * i + 1])
      ends.append(spans[4 * i + 2])
      images.append(spans[4 * i + 3])
    self.rows = rows
    self.starts = starts
    self.ends = ends
    self.images = images
    return None


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
      return torch.embedding(self.weight, input_ids).to(6)  # (B, T, E)
    else:
      vocab_size = self.weight.size(0)
      own = torch.embedding(self.weight, input_ids.clamp(max=vocab_size - 1)).to(6)
      added = torch.embedding(additional, (input_ids - vocab_size).clamp(min=0)).to(6)
      return torch.where((input_ids < vocab_size).unsqueeze(-1), own, added)  # (B, T, E)


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
    return logits  # (B, T, vocabulary)


# Rotary position embedding (Su et al., 2021), half-rotation form.
class IdeficsEmbedding:
  inv_freq : Tensor
  def __init__(self: __torch__.idefics.modeling.IdeficsEmbedding, head_dim: int, device: Device) -> NoneType:
    exponents = torch.arange(0, head_dim, 2, dtype=6, device=device) / head_dim
    self.inv_freq = torch.reciprocal(torch.pow(10000., exponents))
    return None

  # position_ids (B, T) -> cos and sin, each (B, 1, T, D)
  def forward(self: __torch__.idefics.modeling.IdeficsEmbedding, position_ids: Tensor) -> Tuple[Tensor, Tensor]:
    angles = position_ids.to(6).unsqueeze(-1) * self.inv_freq  # (B, T, D / 2)
    angles = torch.cat([angles, angles], -1).unsqueeze(1)  # (B, 1, T, D)
    return (angles.cos(), angles.sin())


def apply_rotary_pos_emb(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
  half = x.size(-1) // 2
  y = x.to(6)
  rotated = torch.cat([-y[:, :, :, half:], y[:, :, :, :half]], -1)
  return (y * cos + rotated * sin).to(x.dtype)


class IdeficsAttention:
  q_proj : __torch__.idefics.nn.Linear
  k_proj : __torch__.idefics.nn.Linear
  v_proj : __torch__.idefics.nn.Linear
  o_proj : __torch__.idefics.nn.Linear
  heads : int
  layer : int
  def __init__(self: __torch__.idefics.modeling.IdeficsAttention, weights: __torch__.idefics.nn.Weights, prefix: str, config: __torch__.idefics.configuration.IdeficsConfig, layer: int) -> NoneType:
    self.q_proj = __torch__.idefics.nn.Linear(weights, prefix + ".q_proj")
    self.k_proj = __torch__.idefics.nn.Linear(weights, prefix + ".k_proj")
    self.v_proj = __torch__.idefics.nn.Linear(weights, prefix + ".v_proj")
    self.o_proj = __torch__.idefics.nn.Linear(weights, prefix + ".o_proj")
    self.heads = config.num_attention_heads
    self.layer = layer
    return None

  # mask (B, 1, T, S), true where a token may attend; None is plain causal attention
  def forward(self: __torch__.idefics.modeling.IdeficsAttention, x: Tensor, cos: Tensor, sin: Tensor, mask: Optional[Tensor], cache: __torch__.idefics.modeling.KeyValueCache) -> Tensor:
    x = self.q_proj.rounded(x)
    q = __torch__.idefics.nn.split_heads(self.q_proj.forward(x), self.heads)  # (B, H, T, D)
    k = __torch__.idefics.nn.split_heads(self.k_proj.forward(x), self.heads)  # (B, H, T, D)
    v = __torch__.idefics.nn.split_heads(self.v_proj.forward(x), self.heads)  # (B, H, T, D)
    q = __torch__.idefics.modeling.apply_rotary_pos_emb(q, cos, sin)
    k = __torch__.idefics.modeling.apply_rotary_pos_emb(k, cos, sin)
    keys, values = cache.update(self.layer, k, v)  # (B, H, S, D)
    causal = mask is None and q.size(2) > 1
    y = torch.scaled_dot_product_attention(q, keys, values, mask, 0., causal)  # (B, H, T, D)
    return self.o_proj.forward(__torch__.idefics.nn.merge_heads(y))  # (B, T, E)


class IdeficsCrossAttention:
  q_proj : __torch__.idefics.nn.Linear
  k_proj : __torch__.idefics.nn.Linear
  v_proj : __torch__.idefics.nn.Linear
  o_proj : __torch__.idefics.nn.Linear
  q_layer_norm : Optional[__torch__.idefics.nn.IdeficsRMSNorm]
  k_layer_norm : Optional[__torch__.idefics.nn.IdeficsRMSNorm]
  heads : int
  def __init__(self: __torch__.idefics.modeling.IdeficsCrossAttention, weights: __torch__.idefics.nn.Weights, prefix: str, config: __torch__.idefics.configuration.IdeficsConfig) -> NoneType:
    self.q_proj = __torch__.idefics.nn.Linear(weights, prefix + ".q_proj")
    self.k_proj = __torch__.idefics.nn.Linear(weights, prefix + ".k_proj")
    self.v_proj = __torch__.idefics.nn.Linear(weights, prefix + ".v_proj")
    self.o_proj = __torch__.idefics.nn.Linear(weights, prefix + ".o_proj")
    self.q_layer_norm = None
    self.k_layer_norm = None
    if config.qk_layer_norms:
      self.q_layer_norm = __torch__.idefics.nn.IdeficsRMSNorm(weights, prefix + ".q_layer_norm", config.rms_norm_eps)
      self.k_layer_norm = __torch__.idefics.nn.IdeficsRMSNorm(weights, prefix + ".k_layer_norm", config.rms_norm_eps)
    self.heads = config.num_attention_heads
    return None

  # image_hidden_states (I, L, vision width) -> keys and values, each (I, H, L, D)
  def key_values(self: __torch__.idefics.modeling.IdeficsCrossAttention, image_hidden_states: Tensor) -> Tuple[Tensor, Tensor]:
    k = __torch__.idefics.nn.split_heads(self.k_proj.precise(image_hidden_states), self.heads)  # (I, H, L, D)
    v = __torch__.idefics.nn.split_heads(self.v_proj.precise(image_hidden_states), self.heads)  # (I, H, L, D)
    k_layer_norm = self.k_layer_norm
    if k_layer_norm is not None:
      k = k_layer_norm.forward(k)
    return (k.to(6).contiguous(), v.to(6).contiguous())

  # The result is zero for every token that sees no image: the cross-attention gate of the reference.
  def forward(self: __torch__.idefics.modeling.IdeficsCrossAttention, x: Tensor, keys: Tensor, values: Tensor, spans: __torch__.idefics.modeling.ImageSpans) -> Tensor:
    q = __torch__.idefics.nn.split_heads(self.q_proj.forward(x), self.heads)  # (B, H, T, D)
    q_layer_norm = self.q_layer_norm
    if q_layer_norm is not None:
      q = q_layer_norm.forward(q)
    q = q.to(6)
    y = torch.zeros_like(q)
    for i in range(len(spans.rows)):
      row = spans.rows[i]
      start = spans.starts[i]
      end = spans.ends[i]
      image = spans.images[i]
      y[row:row + 1, :, start:end] = torch.scaled_dot_product_attention(
          q[row:row + 1, :, start:end], keys[image:image + 1], values[image:image + 1])
    return self.o_proj.forward(__torch__.idefics.nn.merge_heads(y))  # (B, T, E)


class IdeficsGatedCrossAttentionLayer:
  input_layernorm : __torch__.idefics.nn.IdeficsRMSNorm
  cross_attn : __torch__.idefics.modeling.IdeficsCrossAttention
  alpha_cross_attn : Tensor
  post_attention_layernorm : __torch__.idefics.nn.IdeficsRMSNorm
  mlp : __torch__.idefics.nn.IdeficsMLP
  alpha_dense : Tensor
  def __init__(self: __torch__.idefics.modeling.IdeficsGatedCrossAttentionLayer, weights: __torch__.idefics.nn.Weights, prefix: str, config: __torch__.idefics.configuration.IdeficsConfig) -> NoneType:
    self.input_layernorm = __torch__.idefics.nn.IdeficsRMSNorm(weights, prefix + ".input_layernorm", config.rms_norm_eps)
    self.cross_attn = __torch__.idefics.modeling.IdeficsCrossAttention(weights, prefix + ".cross_attn", config)
    self.alpha_cross_attn = weights.float32(prefix + ".alpha_cross_attn").tanh()  # (1) or (1, 1, E)
    self.post_attention_layernorm = __torch__.idefics.nn.IdeficsRMSNorm(weights, prefix + ".post_attention_layernorm", config.rms_norm_eps)
    self.mlp = __torch__.idefics.nn.IdeficsMLP(weights, prefix + ".mlp")
    self.alpha_dense = weights.float32(prefix + ".alpha_dense").tanh()  # (1) or (1, 1, E)
    return None

  # Only the attention half depends on images; the dense half runs for every token, in pure text too.
  def forward(self: __torch__.idefics.modeling.IdeficsGatedCrossAttentionLayer, x: Tensor, layer: int, images: __torch__.idefics.modeling.ImageStates, spans: __torch__.idefics.modeling.ImageSpans) -> Tensor:
    if len(spans.rows) > 0:
      y = self.cross_attn.forward(self.input_layernorm.forward(x), images.keys[layer], images.values[layer], spans)
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

  def forward(self: __torch__.idefics.modeling.IdeficsDecoderLayer, x: Tensor, cos: Tensor, sin: Tensor, mask: Optional[Tensor], cache: __torch__.idefics.modeling.KeyValueCache) -> Tensor:
    x = x + self.self_attn.forward(self.input_layernorm.forward(x), cos, sin, mask, cache)
    return x + self.mlp.forward(self.post_attention_layernorm.forward(x))


class IdeficsModel:
  config : __torch__.idefics.configuration.IdeficsConfig
  vision_model : __torch__.idefics.vision.IdeficsVisionTransformer
  perceiver_resampler : Optional[__torch__.idefics.perceiver.IdeficsPerceiverResampler]
  embed_tokens : __torch__.idefics.modeling.IdeficsDecoupledEmbedding
  rotary_emb : __torch__.idefics.modeling.IdeficsEmbedding
  gated_cross_attn_layers : List[__torch__.idefics.modeling.IdeficsGatedCrossAttentionLayer]
  layers : List[__torch__.idefics.modeling.IdeficsDecoderLayer]
  norm : __torch__.idefics.nn.IdeficsRMSNorm
  def __init__(self: __torch__.idefics.modeling.IdeficsModel, weights: __torch__.idefics.nn.Weights, prefix: str, config: __torch__.idefics.configuration.IdeficsConfig) -> NoneType:
    self.config = config
    self.vision_model = __torch__.idefics.vision.IdeficsVisionTransformer(weights, prefix + ".vision_model", config)
    self.perceiver_resampler = None
    if config.use_resampler:
      self.perceiver_resampler = __torch__.idefics.perceiver.IdeficsPerceiverResampler(weights, prefix + ".perceiver_resampler", config)
    self.embed_tokens = __torch__.idefics.modeling.IdeficsDecoupledEmbedding(weights, prefix + ".embed_tokens")
    head_dim = config.hidden_size // config.num_attention_heads
    self.rotary_emb = __torch__.idefics.modeling.IdeficsEmbedding(head_dim, self.embed_tokens.weight.device)
    gated_cross_attn_layers = annotate(List[__torch__.idefics.modeling.IdeficsGatedCrossAttentionLayer], [])
    for i in range(config.num_hidden_layers // config.cross_layer_interval):
      gated_cross_attn_layers.append(__torch__.idefics.modeling.IdeficsGatedCrossAttentionLayer(weights, prefix + ".gated_cross_attn_layers." + str(i), config))
    self.gated_cross_attn_layers = gated_cross_attn_layers
    layers = annotate(List[__torch__.idefics.modeling.IdeficsDecoderLayer], [])
    for i in range(config.num_hidden_layers):
      layers.append(__torch__.idefics.modeling.IdeficsDecoderLayer(weights, prefix + ".layers." + str(i), config, i))
    self.layers = layers
    self.norm = __torch__.idefics.nn.IdeficsRMSNorm(weights, prefix + ".norm", config.rms_norm_eps)
    return None

  # vision_states (I, P, vision width) -> what cross-attention reads, (I, L, vision width)
  def resample(self: __torch__.idefics.modeling.IdeficsModel, vision_states: Tensor) -> Tensor:
    perceiver_resampler = self.perceiver_resampler
    if perceiver_resampler is not None:
      return perceiver_resampler.forward(vision_states)
    else:
      return vision_states

  # image_hidden_states (I, L, vision width) -> keys and values of every gated block
  def image_states(self: __torch__.idefics.modeling.IdeficsModel, image_hidden_states: Tensor) -> __torch__.idefics.modeling.ImageStates:
    images = __torch__.idefics.modeling.ImageStates()
    for layer in self.gated_cross_attn_layers:
      k, v = layer.cross_attn.key_values(image_hidden_states)
      images.keys.append(k)
      images.values.append(v)
    return images

  # Which cached tokens a new token attends to, (B, 1, T, S): causal, and never padding. A padding token attends to
  # itself, so that its undefined row stays finite. None where plain causal attention says it all.
  def self_attention_mask(self: __torch__.idefics.modeling.IdeficsModel, tokens: int, past: int, attention_mask: Optional[Tensor], device: Device) -> Optional[Tensor]:
    if attention_mask is None and (past == 0 or tokens == 1):
      return None
    else:
      total = past + tokens
      query = torch.arange(past, total, device=device).unsqueeze(-1)  # (T, 1)
      key = torch.arange(0, total, device=device)  # (S)
      mask = (key <= query)[None, None]  # (1, 1, T, S)
      if attention_mask is not None:
        mask = mask.logical_and(attention_mask.to(11)[:, None, None]).logical_or(key == query)
      return mask

  # trace, where given, receives the residual stream after every block and after the final norm
  def forward(self: __torch__.idefics.modeling.IdeficsModel, input_ids: Tensor, position_ids: Tensor, attention_mask: Optional[Tensor], images: __torch__.idefics.modeling.ImageStates, spans: __torch__.idefics.modeling.ImageSpans, cache: __torch__.idefics.modeling.KeyValueCache, trace: Optional[List[Tensor]]) -> Tensor:
    tokens = input_ids.size(1)
    cache.reserve(tokens)
    mask = self.self_attention_mask(tokens, cache.length, attention_mask, input_ids.device)
    cos, sin = self.rotary_emb.forward(position_ids)
    x = self.embed_tokens.forward(input_ids)  # (B, T, E)
    for i in range(len(self.layers)):
      if i % self.config.cross_layer_interval == 0:
        g = i // self.config.cross_layer_interval
        x = self.gated_cross_attn_layers[g].forward(x, g, images, spans)
        if trace is not None:
          trace.append(x)
      x = self.layers[i].forward(x, cos, sin, mask, cache)
      if trace is not None:
        trace.append(x)
    cache.length = cache.length + tokens
    return x


class IdeficsForVisionText2Text(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  config : __torch__.idefics.configuration.IdeficsConfig
  model : Optional[__torch__.idefics.modeling.IdeficsModel]
  lm_head : Optional[__torch__.idefics.modeling.IdeficsDecoupledLinear]

  # weights: checkpoint tensors by name; those of bfloat16_bits are bfloat16 in the guise of float16, which is how the
  # host passes two-byte types. dtype is that of matrices.
  def load(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, weights: Dict[str, Tensor], bfloat16_bits: Dict[str, Tensor], dtype: int, device: str) -> NoneType:
    for name, bits in bfloat16_bits.items():
      weights[name] = torch.empty([0], dtype=15).set_(bits)  # the same memory, read as bfloat16
    loaded = __torch__.idefics.nn.Weights(weights, dtype, torch.device(device))
    self.model = __torch__.idefics.modeling.IdeficsModel(loaded, "model", self.config)
    self.lm_head = __torch__.idefics.modeling.IdeficsDecoupledLinear(loaded, "lm_head")
    return None

  def loaded(self: __torch__.idefics.modeling.IdeficsForVisionText2Text) -> __torch__.idefics.modeling.IdeficsModel:
    model = self.model
    assert model is not None, "the weights are not loaded"
    return model

  # pixel_values (I, 3, size, size) -> (I, P, vision width)
  def vision(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, pixel_values: Tensor) -> Tensor:
    model = self.loaded()
    return model.vision_model.forward(pixel_values.to(model.embed_tokens.weight.device))

  # vision_states (I, P, vision width) -> (I, L, vision width)
  def resample(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, vision_states: Tensor) -> Tensor:
    return self.loaded().resample(vision_states)

  # pixel_values (I, 3, size, size) -> keys and values of every gated block
  def encode_images(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, pixel_values: Tensor) -> __torch__.idefics.modeling.ImageStates:
    return self.loaded().image_states(self.resample(self.vision(pixel_values)))

  # For prompts without images.
  def no_images(self: __torch__.idefics.modeling.IdeficsForVisionText2Text) -> __torch__.idefics.modeling.ImageStates:
    return __torch__.idefics.modeling.ImageStates()

  def new_cache(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, rows: int) -> __torch__.idefics.modeling.KeyValueCache:
    return __torch__.idefics.modeling.KeyValueCache(rows, self.loaded().layers[0].self_attn.k_proj.weight, self.config)

  # Runs the next tokens of every row and appends them to the cache.
  #   input_ids, position_ids (B, T); attention_mask: one tensor (B, S), 0 where a row is padded, or none without padding
  #   spans: row, start, end, image for each run of tokens that see an image
  #   logits_to_keep: for how many of the last tokens logits are computed
  # Returns float32 logits (B, logits_to_keep, vocabulary) on the CPU.
  def forward(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, input_ids: Tensor, position_ids: Tensor, attention_mask: List[Tensor], images: __torch__.idefics.modeling.ImageStates, spans: List[int], cache: __torch__.idefics.modeling.KeyValueCache, logits_to_keep: int) -> Tensor:
    trace = annotate(Optional[List[Tensor]], None)
    x = self.decode(input_ids, position_ids, attention_mask, images, spans, cache, trace)
    x = self.loaded().norm.forward(x[:, x.size(1) - logits_to_keep:])
    lm_head = self.lm_head
    assert lm_head is not None, "the weights are not loaded"
    return lm_head.forward(x).to(torch.device("cpu"))

  # Like forward, but returns the residual stream after every block, gated and plain in turn, then after the final norm.
  def hidden_states(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, input_ids: Tensor, position_ids: Tensor, attention_mask: List[Tensor], images: __torch__.idefics.modeling.ImageStates, spans: List[int], cache: __torch__.idefics.modeling.KeyValueCache) -> List[Tensor]:
    trace = annotate(List[Tensor], [])
    x = self.decode(input_ids, position_ids, attention_mask, images, spans, cache, trace)
    trace.append(self.loaded().norm.forward(x))
    return trace

  def decode(self: __torch__.idefics.modeling.IdeficsForVisionText2Text, input_ids: Tensor, position_ids: Tensor, attention_mask: List[Tensor], images: __torch__.idefics.modeling.ImageStates, spans: List[int], cache: __torch__.idefics.modeling.KeyValueCache, trace: Optional[List[Tensor]]) -> Tensor:
    model = self.loaded()
    device = model.embed_tokens.weight.device
    mask = annotate(Optional[Tensor], None)
    if len(attention_mask) > 0:
      mask = attention_mask[0].to(device)
    return model.forward(input_ids.to(device), position_ids.to(device), mask, images, __torch__.idefics.modeling.ImageSpans(spans), cache, trace)
