# The perceiver resampler (Alayrac et al., 2022, "Flamingo"): a fixed number of latents for every image.
# Its LayerNorms have PyTorch's default eps, whatever the configuration says.

import __torch__.idefics.configuration
import __torch__.idefics.nn
import __torch__.idefics.vision


class IdeficsPerceiverAttention:
  context_layer_norm : __torch__.idefics.nn.LayerNorm
  latents_layer_norm : __torch__.idefics.nn.LayerNorm
  q_layer_norm : Optional[__torch__.idefics.nn.LayerNorm]
  k_layer_norm : Optional[__torch__.idefics.nn.LayerNorm]
  q_proj : __torch__.idefics.nn.Linear
  kv_proj : __torch__.idefics.nn.FusedLinear
  output_proj : __torch__.idefics.nn.Linear
  heads : int
  def __init__(self: __torch__.idefics.perceiver.IdeficsPerceiverAttention, weights: __torch__.idefics.nn.Weights, prefix: str, config: __torch__.idefics.configuration.IdeficsConfig) -> NoneType:
    self.context_layer_norm = __torch__.idefics.nn.LayerNorm(weights, prefix + ".context_layer_norm", 1e-5)
    self.latents_layer_norm = __torch__.idefics.nn.LayerNorm(weights, prefix + ".latents_layer_norm", 1e-5)
    self.q_layer_norm = None
    self.k_layer_norm = None
    if config.qk_layer_norms_perceiver:
      self.q_layer_norm = __torch__.idefics.nn.LayerNorm(weights, prefix + ".q_layer_norm", 1e-5)
      self.k_layer_norm = __torch__.idefics.nn.LayerNorm(weights, prefix + ".k_layer_norm", 1e-5)
    self.q_proj = __torch__.idefics.nn.Linear(weights, prefix + ".q_proj")
    self.kv_proj = __torch__.idefics.nn.FusedLinear(weights, prefix + ".kv_proj")
    self.output_proj = __torch__.idefics.nn.Linear(weights, prefix + ".output_proj")
    self.heads = config.resampler_n_heads
    return None

  def forward(self: __torch__.idefics.perceiver.IdeficsPerceiverAttention, context: Tensor, latents: Tensor) -> Tensor:
    latents = self.latents_layer_norm.forward(latents)  # (I, L, E)
    source = torch.cat([self.context_layer_norm.forward(context), latents], 1)  # (I, P + L, E)
    kv = torch.chunk(self.kv_proj.forward(source), 2, -1)
    q = __torch__.idefics.nn.split_heads(self.q_proj.forward(latents), self.heads)  # (I, H, L, D)
    k = __torch__.idefics.nn.split_heads(kv[0], self.heads)  # (I, H, P + L, D)
    v = __torch__.idefics.nn.split_heads(kv[1], self.heads)  # (I, H, P + L, D)
    q_layer_norm = self.q_layer_norm
    if q_layer_norm is not None:
      q = q_layer_norm.forward(q)
    k_layer_norm = self.k_layer_norm
    if k_layer_norm is not None:
      k = k_layer_norm.forward(k)
    y = torch.scaled_dot_product_attention(q.to(6), k.to(6), v.to(6))  # (I, H, L, D)
    return self.output_proj.forward(__torch__.idefics.nn.merge_heads(y))  # (I, L, E)


class IdeficsPerceiverMLP:
  ln : __torch__.idefics.nn.LayerNorm
  fc : __torch__.idefics.nn.Linear
  c_proj : __torch__.idefics.nn.Linear
  def __init__(self: __torch__.idefics.perceiver.IdeficsPerceiverMLP, weights: __torch__.idefics.nn.Weights, prefix: str) -> NoneType:
    self.ln = __torch__.idefics.nn.LayerNorm(weights, prefix + ".ln", 1e-5)
    self.fc = __torch__.idefics.nn.Linear(weights, prefix + ".fc")
    self.c_proj = __torch__.idefics.nn.Linear(weights, prefix + ".c_proj")
    return None

  def forward(self: __torch__.idefics.perceiver.IdeficsPerceiverMLP, x: Tensor) -> Tensor:
    return self.c_proj.forward(torch.relu(self.fc.forward(self.ln.forward(x))))


class IdeficsPerceiverResampler:
  latents : Tensor
  attentions : List[__torch__.idefics.perceiver.IdeficsPerceiverAttention]
  mlps : List[__torch__.idefics.perceiver.IdeficsPerceiverMLP]
  layer_norm : __torch__.idefics.nn.LayerNorm
  def __init__(self: __torch__.idefics.perceiver.IdeficsPerceiverResampler, weights: __torch__.idefics.nn.Weights, prefix: str, config: __torch__.idefics.configuration.IdeficsConfig) -> NoneType:
    self.latents = weights.float32(prefix + ".latents")
    attentions = annotate(List[__torch__.idefics.perceiver.IdeficsPerceiverAttention], [])
    mlps = annotate(List[__torch__.idefics.perceiver.IdeficsPerceiverMLP], [])
    for i in range(config.resampler_depth):
      block = prefix + ".blocks." + str(i)
      attentions.append(__torch__.idefics.perceiver.IdeficsPerceiverAttention(weights, block + ".0", config))
      mlps.append(__torch__.idefics.perceiver.IdeficsPerceiverMLP(weights, block + ".1"))
    self.attentions = attentions
    self.mlps = mlps
    self.layer_norm = __torch__.idefics.nn.LayerNorm(weights, prefix + ".layer_norm", 1e-5)
    return None

  # Runs the next blocks; true when all have run.
  def advance(self: __torch__.idefics.perceiver.IdeficsPerceiverResampler, encoding: __torch__.idefics.vision.ImageEncoding, blocks: int) -> bool:
    context = encoding.states()  # (I, P, E)
    x = encoding.latents
    if x is None:
      x = self.latents.expand([context.size(0), -1, -1])  # (I, L, E)
    end = min(encoding.block + blocks, len(self.attentions))
    for i in range(encoding.block, end):
      x = x + self.attentions[i].forward(context, x)
      x = x + self.mlps[i].forward(x)
    encoding.block = end
    through = end == len(self.attentions)
    if through:
      x = self.layer_norm.forward(x)
    encoding.latents = x
    return through
