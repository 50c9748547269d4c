"""Writes a random LLaMA of the shape of a checkpoint's text part as a GGUF file.

Arguments: checkpoint directory, type (bf16, f16, q8_0 or q4_0), file. Needs numpy and gguf. Prints the bytes that a
token reads.

A gated block becomes one more decoder layer. It has the matrices of a layer but the products of keys and values, which
images alone need, so that LLaMA reads a little more for each token. This keeps the shapes of all matrices, and the
exact bytes of both are told, so that times can be compared by the byte too.
"""

import json
import sys

import gguf
import numpy
from gguf import GGMLQuantizationType as Type
from gguf import LlamaFileType as FileType

FILE_TYPES = {
    "bf16": FileType.MOSTLY_BF16,
    "f16": FileType.MOSTLY_F16,
    "q8_0": FileType.MOSTLY_Q8_0,
    "q4_0": FileType.MOSTLY_Q4_0,
}


class Writer:
    """Adds tensors to a file. Matrices of one shape share their numbers, which makes no difference to the time."""

    def __init__(self, path, file_type):
        self.file = gguf.GGUFWriter(path, "llama")
        self.random = numpy.random.default_rng(1)
        self.matrices = {}
        self.read = 0
        self.file.add_file_type(file_type)

    def norm(self, name, size):
        self.add(name, numpy.ones(size, numpy.float32), Type.F32)

    def matrix(self, name, rows, columns, kind):
        key = rows, columns, kind
        if key not in self.matrices:
            numbers = self.random.standard_normal((rows, columns), numpy.float32) * 0.02
            self.matrices[key] = gguf.quants.quantize(numbers, kind)
        self.add(name, self.matrices[key], kind)

    def add(self, name, numbers, kind):
        self.file.add_tensor(name, numbers, raw_dtype=kind)
        if not name.startswith("token_embd"):  # of the table one row is looked up
            self.read += numbers.nbytes


def main():
    directory, name, path = sys.argv[1:]
    with open(directory + "/config.json") as text:
        config = json.load(text)
    kind = Type[name.upper()]
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    heads, words, layers = config["num_attention_heads"], config["vocab_size"], config["num_hidden_layers"]
    layers += -(-layers // config["cross_layer_interval"])  # the gated blocks
    writer = Writer(path, FILE_TYPES[name])
    file = writer.file
    file.add_block_count(layers)
    file.add_context_length(config["max_position_embeddings"])
    file.add_embedding_length(hidden)
    file.add_feed_forward_length(inner)
    file.add_head_count(heads)
    file.add_head_count_kv(heads)
    file.add_rope_dimension_count(hidden // heads)
    file.add_layer_norm_rms_eps(config["rms_norm_eps"])
    vocabulary(file, words)
    writer.matrix("token_embd.weight", words, hidden, kind)
    for layer in range(layers):
        block = f"blk.{layer}."
        writer.norm(block + "attn_norm.weight", hidden)
        for projection in "attn_q", "attn_k", "attn_v", "attn_output":
            writer.matrix(f"{block}{projection}.weight", hidden, hidden, kind)
        writer.norm(block + "ffn_norm.weight", hidden)
        writer.matrix(block + "ffn_gate.weight", inner, hidden, kind)
        writer.matrix(block + "ffn_up.weight", inner, hidden, kind)
        writer.matrix(block + "ffn_down.weight", hidden, inner, kind)
    writer.norm("output_norm.weight", hidden)
    # With matrices of 4 bits both give the head more of them; here as many as ours has.
    writer.matrix("output.weight", words, hidden, Type.Q8_0 if kind == Type.Q4_0 else kind)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    print(writer.read)


def vocabulary(file, words):
    """Names for the tokens, without which a file does not load; the benchmark gives token numbers."""
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL] + [gguf.TokenType.BYTE] * 256
    more = words - len(tokens)
    file.add_tokenizer_model("llama")
    file.add_token_list(tokens + [f"w{word}" for word in range(more)])
    file.add_token_scores([0.0] * words)
    file.add_token_types(kinds + [gguf.TokenType.NORMAL] * more)
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    file.add_unk_token_id(0)


main()
