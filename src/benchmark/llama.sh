#!/usr/bin/env bash
# Times the model and llama.cpp in turn and prints both: prefill of a prompt, and decode of one token at a time.
# usage: src/benchmark/llama.sh CHECKPOINT [RUNS [DECODE_TOKENS [PROMPT_TOKENS...]]]
# TYPES limits the types of llama.cpp's weights: a list of bf16, f16, q8_0 and q4_0. f16 stands beside bf16 because it
# may be the faster of the two there. Run `mvn test-compile` first. Needs node 20 and python with venv, and fetches
# llama.cpp's prebuilt library and the writer of its files into target/llama, from where the package managers are set up to.
#
# What is compared. llama.cpp runs a LLaMA with a layer for each layer and each gated block of the checkpoint: the same
# matrices, products of the same sizes in the same number, but for keys and values in the gated blocks, which cost it some
# percent more. The types differ too: q8_0 has a scale for 32 weights and INT8 for a row, q4_0 has one for 32 weights and
# INT4 a scale and a zero point for 128. So for decode the table has the bytes of weights that a token reads, the bytes
# read in a second, and beside the ratio of times that of bytes per second, which is what is left of it when both read
# the same. For prefill, which multiplies more than it reads, the second ratio is per multiplication. Above 1 the model is
# faster. Only the model looks at a picture, in both: its cost there is small and not taken off.
set -euo pipefail
cd "$(dirname "$0")/../.."
checkpoint=$1 runs=${2:-3} decode=${3:-32}
prompts=("${@:4}")
[ ${#prompts[@]} -gt 0 ] || prompts=(64 512)
threads=$(nproc) # fewer under taskset, for both
place=target/llama
results=$place/results.jsonl
mkdir -p "$place"
export OPT_OUT_TRACKING=true

if [ ! -e "$place/node_modules/node-llama-cpp" ]; then
  version=3.22.1
  echo '{"private": true}' > "$place/package.json"
  npm install --prefix "$place" --ignore-scripts --omit=optional --no-audit --no-fund --loglevel=error \
    "node-llama-cpp@$version" "@node-llama-cpp/$(node -p 'process.platform + "-" + process.arch')@$version" > /dev/null
fi
if [ ! -e "$place/venv/ready" ]; then
  python3 -m venv "$place/venv"
  "$place/venv/bin/pip" install -q gguf==0.19.0
  touch "$place/venv/ready"
fi
mvn -q dependency:build-classpath -Dmdep.outputFile=target/classpath

# The line of JSON on standard input, with what was run.
note() {
  grep '^{' | sed "s/^{/{\"of\": \"$1\", \"type\": \"$type\", \"prompt\": $prompt, /" >> "$results" ||
    { echo "$1 measured nothing with $type, see $place/$1.log" >&2; return 1; }
}

: > "$results"
file=$place/model.gguf
trap 'rm -f "$file"' EXIT
for type in ${TYPES:-bf16 f16 q8_0 q4_0}; do
  case $type in
    q8_0) quantization=INT8 ;;
    q4_0) quantization=INT4 ;;
    *) quantization=NONE ;;
  esac
  bytes=$("$place/venv/bin/python" src/benchmark/llama_gguf.py "$checkpoint" "$type" "$file")
  for _ in $(seq "$runs"); do
    for prompt in "${prompts[@]}"; do
      node src/benchmark/llama.mjs "$place/node_modules" "$file" "$prompt" "$decode" "$threads" 2> "$place/llama.log" |
        sed "s/^{/{\"decode_bytes\": $bytes, /" | note llama
      java -cp "target/test-classes:target/classes:$(cat target/classpath)" io.idefics.model.IdeficsModelBenchmark \
        "$checkpoint" bfloat16 "$prompt" "$decode" 1 "$quantization" 2> "$place/ours.log" | note ours
    done
  done
done
tail -n 1 "$place/llama.log"
python3 - "$checkpoint" "$results" << 'END_OF_TABLE'
import json, statistics, sys
config = json.load(open(sys.argv[1] + "/config.json"))
runs = {}
for line in map(json.loads, open(sys.argv[2])):
    runs.setdefault((line["type"], line["prompt"]), {}).setdefault(line["of"], []).append(line)
hidden, layers = config["hidden_size"], config["num_hidden_layers"]
gated = -(-layers // config["cross_layer_interval"])
theirs_work = (layers + gated) * (4 * hidden + 3 * config["intermediate_size"])
ours_work = theirs_work - gated * 2 * hidden
more_work = theirs_work / ours_work
print(f"{'':20}|{'prefill, tokens/s':^31}|{'decode, tokens/s':^23}|{'MB per token':^17}|{'decode, GB/s':^23}")
print(f"{'weights':14}{'prompt':>6}|{'ours':>8}{'llama':>8}{'ratio':>7}{'(work)':>8}"
      f"|{'ours':>8}{'llama':>8}{'ratio':>7}|{'ours':>9}{'llama':>8}|{'ours':>8}{'llama':>8}{'ratio':>7}")
NAMES = {"bf16": "NONE / bf16", "f16": "NONE / f16", "q8_0": "INT8 / q8_0", "q4_0": "INT4 / q4_0"}
for (kind, prompt), both in runs.items():
    def median(of, name):
        return statistics.median(line[name] for line in both[of])
    prefill = [prompt * 1e3 / median(of, "prefill_ms") for of in ("ours", "llama")]
    decode = [1e3 / median(of, "decode_ms_per_token") for of in ("ours", "llama")]
    size = [median(of, "decode_bytes") for of in ("ours", "llama")]
    speed = [x * y / 1e9 for x, y in zip(decode, size)]
    ratio = prefill[0] / prefill[1]
    print(f"{NAMES[kind]:14}{prompt:6}|{prefill[0]:8.1f}{prefill[1]:8.1f}{ratio:6.2f}x{ratio / more_work:7.2f}x"
          f"|{decode[0]:8.2f}{decode[1]:8.2f}{decode[0] / decode[1]:6.2f}x|{size[0] / 1e6:9.1f}{size[1] / 1e6:8.1f}"
          f"|{speed[0]:8.2f}{speed[1]:8.2f}{speed[0] / speed[1]:6.2f}x")
END_OF_TABLE
