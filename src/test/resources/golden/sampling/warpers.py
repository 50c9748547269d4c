"""Writes warpers.json: what generate() of transformers 4.57.6 makes of single rows of logits (torch 2.13, CPU)."""

import json
import sys
from types import SimpleNamespace

import torch
from transformers import GenerationConfig
from transformers.generation.utils import GenerationMixin

VOCABULARY = 48
PROMPT = [3, 7, 11, 7, 20]
ANSWER = [5, 11, 5]

CASES = {
    "min_p_0.05": dict(min_p=0.05),
    "min_p_0.5": dict(min_p=0.5),
    "min_p_1": dict(min_p=1.0),
    "typical_p_0.2": dict(typical_p=0.2),
    "typical_p_0.5": dict(typical_p=0.5),
    "typical_p_0.95": dict(typical_p=0.95),
    "typical_p_0.999": dict(typical_p=0.999),
    "typical_p_tiny": dict(typical_p=1e-9),
    "typical_p_hot": dict(typical_p=0.5, temperature=2.0),
    "typical_p_cold": dict(typical_p=0.5, temperature=0.1),
    "top_k_then_typical_p": dict(top_k=9, typical_p=0.6),
    "top_p_then_min_p": dict(top_p=0.9, min_p=0.08, temperature=1.3),
    "all": dict(temperature=1.2, top_k=20, top_p=0.95, min_p=0.02, typical_p=0.9),
    "min_new_tokens": dict(min_new_tokens=4, eos_token_id=[2, 8]),
    "min_new_tokens_reached": dict(min_new_tokens=3, eos_token_id=[2, 8]),
    "bias_then_repetition_penalty": dict(
        sequence_bias=[[[5], 4.0], [[11], -9.0], [[30], 2.5]], repetition_penalty=1.4, bad_words_ids=[[4], [20]]
    ),
    "everything": dict(
        sequence_bias=[[[5], 4.0], [[30], 2.5]],
        repetition_penalty=1.2,
        bad_words_ids=[[4]],
        min_new_tokens=9,
        eos_token_id=[2, 8],
        temperature=0.8,
        top_k=30,
        top_p=0.9,
        min_p=0.01,
        typical_p=0.8,
    ),
}


def processors(options):
    config = GenerationConfig(do_sample=True, **{"top_k": 0, "eos_token_id": [2, 8], **options})
    config._eos_token_tensor = torch.tensor(config.eos_token_id)
    model = SimpleNamespace(
        config=SimpleNamespace(is_encoder_decoder=False),
        device="cpu",
        _merge_criteria_processor_list=lambda default, custom: default,
    )
    return GenerationMixin._get_logits_processor(
        model, config, input_ids_seq_length=len(PROMPT), device="cpu", logits_processor=[]
    )


def case(name, options, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = (torch.randn(1, VOCABULARY, generator=generator) * 1.4).round(decimals=4)
    logits[0, 17] = logits[0, 40]  # equal ones stay or go together
    processed = processors(options)(torch.tensor([PROMPT + ANSWER]), logits.clone())
    row = processed[0].tolist()
    return {
        "name": name,
        "options": options,
        "prompt_ids": PROMPT,
        "answer_ids": ANSWER,
        "logits": [round(x, 4) for x in logits[0].tolist()],
        "processed": [None if x == float("-inf") else x for x in row],
        "probabilities": processed.softmax(-1)[0].tolist(),
    }


cases = [case(name, options, 100 + i) for i, (name, options) in enumerate(CASES.items())]
with open(sys.argv[1], "w") as file:
    json.dump({"cases": cases}, file, indent=1)
    file.write("\n")
