# The vision tower: a CLIP ViT (Radford et al., 2021). Its output is the residual stream after the last layer, class
# token included and without post_layernorm, which belongs to the pooled output that IDEFICS does not use.

import __torch__.idefics.configuration
import __torch__.idefics.nn


class IdeficsVisionEmbeddings:
  class_embedding : Tensor
  patch_embedding : Tensor
  position_embedding : Tensor
  patch_size : int
  def __init__(self: __torch__.idefics.vision.IdeficsVisionEmbeddings, weights: __torch__.idefics.nn.Weights, prefix: str, config: __torch__.idefics.configuration.IdeficsConfig) -> NoneType:
    self.class_embedding = weights.float32(prefix + ".class_embedding")
    self.patch_embedding = weights.float32(prefix + ".patch_embedding.weight")
    self.position_embedding = weights.float32(prefix + ".position_embedding.weight")
    self.patch_size = config.vision_patch_size
    return None

  def forward(self: __torch__.idefics.vision.IdeficsVisionEmbeddings, pixel_values: Tensor) -> Tensor:
    patch = self.patch_size
    patches = torch.conv2d(pixel_values, self.patch_embedding, None, [patch, patch])
    patches = patches.flatten(2).transpose(1, 2)  # (I, P - 1, E)
    class_token = self.class_embedding.expand([patches.size(0), 1, -1])  # (I, 1, E)
    return torch.cat([class_token, patches], 1) + self.position_embedding  # (I, P, E)


class IdeficsVisionAttention:
  qkv_proj : __torch__.idefics.nn.FusedLinear
  out_proj : __torch__.idefics.nn.Linear
  heads : int
  def __init__(self: __torch__.idefics.vision.IdeficsVisionAttention, weights: __torch__.idefics.nn.Weights, prefix: str, config: __torch__.idefics.configuration.IdeficsConfig) -> NoneType:
    self.qkv_proj = __torch__.idefics.nn.FusedLinear(weights, prefix + ".qkv_proj")
    self.out_proj = __torch__.idefics.nn.Linear(weights, prefix + ".out_proj")
    self.heads = config.vision_num_attention_heads
    return None

  # patches: how many of the rows are patches; the others are padding, which nobody attends to
  def forward(self: __torch__.idefics.vision.IdeficsVisionAttention, x: Tensor, patches: int) -> Tensor:
    qkv = torch.chunk(self.qkv_proj.forward(x), 3, -1)
    q = __torch__.idefics.nn.split_heads(qkv[0], self.heads)  # (I, H, P, D)
    k = __torch__.idefics.nn.split_heads(qkv[1], self.heads)  # (I, H, P, D)
    v = __torch__.idefics.nn.split_heads(qkv[2], self.heads)  # (I, H, P, D)
    y = torch.scaled_dot_product_attention(q, k[:, :, :patches], v[:, :, :patches])  # (I, H, P, D)
    return self.out_proj.forward(__torch__.idefics.nn.merge_heads(y))  # (I, P, E)


class IdeficsVisionMLP:
  fc1 : __torch__.idefics.nn.Linear
  fc2 : __torch__.idefics.nn.Linear
  hidden_act : str
  def __init__(self: __torch__.idefics.vision.IdeficsVisionMLP, weights: __torch__.idefics.nn.Weights, prefix: str, config: __torch__.idefics.configuration.IdeficsConfig) -> NoneType:
    self.fc1 = __torch__.idefics.nn.Linear(weights, prefix + ".fc1")
    self.fc2 = __torch__.idefics.nn.Linear(weights, prefix + ".fc2")
    self.hidden_act = config.vision_hidden_act
    return None

  def forward(self: __torch__.idefics.vision.IdeficsVisionMLP, x: Tensor) -> Tensor:
    if self.hidden_act == "gelu":
      y = self.fc1.gelu(x, "none")
    elif self.hidden_act == "gelu_new" or self.hidden_act == "gelu_pytorch_tanh":
      y = self.fc1.gelu(x, "tanh")
    elif self.hidden_act == "quick_gelu":
      y = self.fc1.forward(x)
      y = y * torch.sigmoid(1.702 * y)
    else:
      assert self.hidden_act == "relu", "unknown activation of the vision tower"
      y = torch.relu(self.fc1.forward(x))
    return self.fc2.forward(y)


class IdeficsVisionEncoderLayer:
  layer_norm1 : __torch__.idefics.nn.LayerNorm
  self_attn : __torch__.idefics.vision.IdeficsVisionAttention
  layer_norm2 : __torch__.idefics.nn.LayerNorm
  mlp : __torch__.idefics.vision.IdeficsVisionMLP
  def __init__(self: __torch__.idefics.vision.IdeficsVisionEncoderLayer, weights: __torch__.idefics.nn.Weights, prefix: str, config: __torch__.idefics.configuration.IdeficsConfig) -> NoneType:
    eps = config.vision_layer_norm_eps
    self.layer_norm1 = __torch__.idefics.nn.LayerNorm(weights, prefix + ".layer_norm1", eps)
    self.self_attn = __torch__.idefics.vision.IdeficsVisionAttention(weights, prefix + ".self_attn", config)
    self.layer_norm2 = __torch__.idefics.nn.LayerNorm(weights, prefix + ".layer_norm2", eps)
    self.mlp = __torch__.idefics.vision.IdeficsVisionMLP(weights, prefix + ".mlp", config)
    return None

  # x (I, P and padding, E), which is overwritten
  def forward(self: __torch__.idefics.vision.IdeficsVisionEncoderLayer, x: Tensor, patches: int) -> Tensor:
    x = x.add_(self.self_attn.forward(self.layer_norm1.forward(x), patches))
    return x.add_(self.mlp.forward(self.layer_norm2.forward(x)))


# Images on their way through the tower: a batch can stop after any layer, so that it does not hold up others.
#
# The rows of an image are padded to a multiple of 24: the matrix kernels of oneDNN take 1.6 times as long for the 257 rows
# of the published models as for 264.
class ImageEncoding:
  x : Tensor  # (I, P and padding, E)
  patches : int
  layer : int
  latents : Optional[Tensor]  # (I, L, E), when the resampler has begun
  block : int  # of the resampler
  # x (I, P, E)
  def __init__(self: __torch__.idefics.vision.ImageEncoding, x: Tensor) -> NoneType:
    self.patches = x.size(1)
    self.x = torch.constant_pad_nd(x, [0, 0, 0, -x.size(1) % 24])
    self.layer = 0
    self.latents = None
    self.block = 0
    return None

  # The images so far, (I, P, E)
  def states(self: __torch__.idefics.vision.ImageEncoding) -> Tensor:
    return self.x[:, :self.patches]


class IdeficsVisionTransformer:
  embeddings : __torch__.idefics.vision.IdeficsVisionEmbeddings
  pre_layrnorm : __torch__.idefics.nn.LayerNorm
  layers : List[__torch__.idefics.vision.IdeficsVisionEncoderLayer]
  def __init__(self: __torch__.idefics.vision.IdeficsVisionTransformer, weights: __torch__.idefics.nn.Weights, prefix: str, config: __torch__.idefics.configuration.IdeficsConfig) -> NoneType:
    self.embeddings = __torch__.idefics.vision.IdeficsVisionEmbeddings(weights, prefix + ".embeddings", config)
    # The misspelling is that of the checkpoints.
    self.pre_layrnorm = __torch__.idefics.nn.LayerNorm(weights, prefix + ".pre_layrnorm", config.vision_layer_norm_eps)
    layers = annotate(List[__torch__.idefics.vision.IdeficsVisionEncoderLayer], [])
    for i in range(config.vision_num_hidden_layers):
      layers.append(__torch__.idefics.vision.IdeficsVisionEncoderLayer(weights, prefix + ".encoder.layers." + str(i), config))
    self.layers = layers
    return None

  # pixel_values (I, 3, size, size)
  def begin(self: __torch__.idefics.vision.IdeficsVisionTransformer, pixel_values: Tensor) -> __torch__.idefics.vision.ImageEncoding:
    return __torch__.idefics.vision.ImageEncoding(self.pre_layrnorm.forward(self.embeddings.forward(pixel_values)))

  # Runs the next layers, as long as there are any; returns how many.
  def advance(self: __torch__.idefics.vision.IdeficsVisionTransformer, encoding: __torch__.idefics.vision.ImageEncoding, layers: int) -> int:
    end = min(encoding.layer + layers, len(self.layers))
    for i in range(encoding.layer, end):
      encoding.x = self.layers[i].forward(encoding.x, encoding.patches)
    count = end - encoding.layer
    encoding.layer = end
    return count
