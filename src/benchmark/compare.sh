#!/usr/bin/env bash
# Times the model and the reference implementation in turn and prints both, and how many times faster the model is.
# usage: src/benchmark/compare.sh PYTHON CHECKPOINT [TYPE [PROMPT_TOKENS [DECODE_TOKENS [RUNS [BATCH]]]]]
# PYTHON is an interpreter with torch and transformers 4.57. Run `mvn test-compile` first.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$1 checkpoint=$2 type=${3:-bfloat16} prompt=${4:-512} decode=${5:-64} runs=${6:-3} batch=${7:-16}
threads=$(nproc)
mvn -q dependency:build-classpath -Dmdep.outputFile=target/classpath
results=target/benchmark.jsonl
: > "$results"
for _ in $(seq "$runs"); do
  java -cp "target/test-classes:target/classes:$(cat target/classpath)" io.idefics.model.IdeficsModelBenchmark \
    "$checkpoint" "$type" "$prompt" "$decode" "$batch" | grep '^{' >> "$results"
  "$python" src/benchmark/reference.py "$checkpoint" "$type" "$prompt" "$decode" "$threads" "$batch" | grep '^{' >> "$results"
done
"$python" - "$results" << 'END'
import json, statistics, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
for name in lines[0]:
    if name not in lines[1]:
        print(f"{name:22} ours {statistics.median(line[name] for line in lines[0::2]):9.2f}")
        continue
    ours = statistics.median(line[name] for line in lines[0::2])
    reference = statistics.median(line[name] for line in lines[1::2])
    print(f"{name:22} ours {ours:9.1f}  reference {reference:9.1f}  ratio {reference / ours:5.2f}x")
END
