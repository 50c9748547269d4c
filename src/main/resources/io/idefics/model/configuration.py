# The values of config.json that the shapes of the weights do not tell. The host fills them in; nothing is assumed here.
#
# The dialect of these files is that of a TorchScript archive: annotations name classes in full, only the root
# class is a Module, and dtypes are numbers: float16 5, float32 6, bool 11, bfloat16 15.


class IdeficsConfig:
  hidden_size : int
  num_hidden_layers : int
  num_attention_heads : int
  cross_layer_interval : int
  rms_norm_eps : float
  use_resampler : bool
  qk_layer_norms : bool
  vision_patch_size : int
  vision_num_hidden_layers : int
  vision_num_attention_heads : int
  vision_layer_norm_eps : float
  vision_hidden_act : str
  resampler_depth : int
  resampler_n_heads : int
  qk_layer_norms_perceiver : bool
