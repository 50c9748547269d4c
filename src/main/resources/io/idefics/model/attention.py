# Attention in parts: one query over several runs of keys and values that do not lie side by side. Each part yields its
# own softmax and the logarithm of its denominator, and two parts join exactly (Milakov and Gimelshein, 2018; the
# split-KV form of FlashAttention, Dao et al., 2022). So a paged cache is read where it lies, without a copy.


class Attention:
  q : Tensor
  y : Optional[Tensor]
  lse : Tensor
  # q (B, H, T, D)
  def __init__(self: __torch__.idefics.attention.Attention, q: Tensor) -> NoneType:
    self.q = q
    self.y = None
    self.lse = q
    return None

  # k and v (B, H, S, D); causal: token t attends to the first t + 1 of them
  def attend(self: __torch__.idefics.attention.Attention, k: Tensor, v: Tensor, causal: bool) -> NoneType:
    part, part_lse = __torch__.idefics.attention.softmax_attention(self.q, k, v, causal)
    y = self.y
    if y is None:
      self.y = part
      self.lse = part_lse
    else:
      share = torch.sigmoid(self.lse - part_lse).unsqueeze(-1)  # of the parts so far, (B, H, T, 1)
      self.y = torch.lerp(part.to(6), y.to(6), share)
      self.lse = torch.logaddexp(self.lse, part_lse)
    return None

  # (B, H, T, D), in the type of q
  def output(self: __torch__.idefics.attention.Attention) -> Tensor:
    y = self.y
    assert y is not None, "nothing was attended to"
    return y.to(self.q.dtype)


# Returns the attention, (B, H, T, D), and the logarithm of the sum of its exponentiated scores, (B, H, T).
def softmax_attention(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tuple[Tensor, Tensor]:
  if q.is_cuda:
    return __torch__.idefics.attention.explicit_softmax_attention(q, k, v, causal)
  else:
    return torch._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0., causal)


def explicit_softmax_attention(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tuple[Tensor, Tensor]:
  scores = torch.matmul(q, k.transpose(2, 3)).to(6) * float(q.size(3)) ** -0.5  # (B, H, T, S)
  if causal:
    later = torch.ones([q.size(2), k.size(2)], dtype=11, device=q.device).triu_(1)
    scores = scores.masked_fill(later, float("-inf"))
  lse = torch.logsumexp(scores, [-1])  # (B, H, T)
  return (torch.matmul(torch.exp(scores - lse.unsqueeze(-1)).to(v.dtype), v), lse)
