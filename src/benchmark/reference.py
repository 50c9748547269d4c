"""The counterpart of IdeficsModelBenchmark for Hugging Face transformers: same checkpoint, type, threads and work.

Arguments: checkpoint directory, compute type, tokens of the prompt, tokens to decode, threads, conversations of a batch.
Prints the medians in milliseconds as one line of JSON.
"""

import json
import statistics
import sys
import time

import torch
from transformers import DynamicCache, IdeficsForVisionText2Text

ROUNDS = 5
BATCH_PROMPT = 64
STEPS_PER_ARRIVAL = 4


def main():
    path, dtype, prompt_tokens, decode_tokens, threads, batch = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:7])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = IdeficsForVisionText2Text.from_pretrained(path, dtype=getattr(torch, dtype)).eval()
    size = model.config.vision_config.image_size
    pixels = torch.randn(1, 3, size, size, dtype=model.dtype)
    ids = torch.randint(3, model.config.vocab_size, (1, prompt_tokens))
    names = ["encode_ms", "prefill_ms", "decode_ms_per_token", "batch_ms_per_step", "batch_with_arrivals_ms_per_step"]
    times = {name: [] for name in names}
    with torch.inference_mode():
        for turn in range(ROUNDS + 1):
            start = time.perf_counter()
            states = encode(model, pixels)
            encoded = time.perf_counter()
            cache = DynamicCache()
            run(model, ids, states, cache)
            prefilled = time.perf_counter()
            for i in range(decode_tokens):
                run(model, torch.tensor([[7 + i]]), states, cache)
            decoded = time.perf_counter()
            if turn > 0:  # the first turn warms up
                times["encode_ms"].append((encoded - start) * 1e3)
                times["prefill_ms"].append((prefilled - encoded) * 1e3)
                times["decode_ms_per_token"].append((decoded - prefilled) * 1e3 / decode_tokens)
        states = states.expand(batch, -1, -1)
        cache = DynamicCache()
        run(model, ids[:, :BATCH_PROMPT].expand(batch, -1), states, cache)
        for turn in range(ROUNDS + 1):
            start = time.perf_counter()
            for i in range(decode_tokens):
                run(model, torch.full((batch, 1), 7 + i), states, cache)
            decoded = time.perf_counter()
            for i in range(decode_tokens):
                if i % STEPS_PER_ARRIVAL == 0:  # a new conversation, as if it could join the batch at no cost
                    run(model, ids[:, :BATCH_PROMPT], encode(model, pixels), DynamicCache())
                run(model, torch.full((batch, 1), 7 + i), states, cache)
            if turn > 0:
                times["batch_ms_per_step"].append((decoded - start) * 1e3 / decode_tokens)
                times["batch_with_arrivals_ms_per_step"].append((time.perf_counter() - decoded) * 1e3 / decode_tokens)
    print(json.dumps({name: statistics.median(values) for name, values in times.items()}))


def encode(model, pixels):
    return model.model.perceiver_resampler(model.model.vision_model(pixel_values=pixels).last_hidden_state)


def run(model, ids, states, cache):
    """One forward pass over new tokens that all see the picture; logits of the last one."""
    total = cache.get_seq_length() + ids.shape[1]
    positions = torch.arange(total - ids.shape[1], total)[None].expand(ids.shape[0], -1)
    output = model.model(
        input_ids=ids,
        attention_mask=torch.ones(ids.shape[0], total, dtype=torch.long),
        position_ids=positions,
        perceiver_embeddings=states[:, None],
        image_attention_mask=torch.ones(ids.shape[0], ids.shape[1], 1, dtype=torch.long),
        past_key_values=cache,
        use_cache=True,
    )
    return model.lm_head(output.last_hidden_state[:, -1:])


main()
