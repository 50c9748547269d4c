#!/usr/bin/env bash
# Tries client libraries of Python and JavaScript with a running server; prints PASS or FAIL for each feature.
# usage: [PYTHON=python3] [PICTURE_PORT=9099] src/clients/run.sh http://localhost:8080
# The server has to serve its built-in model and be free to fetch pictures from this machine:
#   java -jar target/idefics-server.jar --idefics.image.allowed-addresses=127.0.0.1/32 --idefics.image.allowed-ports=80,443,9099
# The libraries are installed from the registries that pip and npm are configured for, in a directory that is removed at the
# end. Wants Python 3.10, Node 22, or newer.
set -uo pipefail
[ $# -eq 1 ] || { sed -n '2,7s/^# //p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
url=${1%/}
export PICTURE_PORT=${PICTURE_PORT:-9099} PYTHONDONTWRITEBYTECODE=1
openai_python=3.22.1 langchain_openai=1.6.6 openai_node=7.57.0 huggingface_hub=2.0.0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

python() { # name, requirement, script
  echo "== $1"
  "${PYTHON:-python3}" -m venv "$scratch/$1" \
    && "$scratch/$1/bin/pip" install --quiet --disable-pip-version-check "$2" \
    && "$scratch/$1/bin/python" "$here/$3" "$url" || failed=1
}

node_library() { # name, package, script
  echo "== $1"
  npm install --silent --no-save --prefix "$scratch/$1" "$2" > /dev/null \
    && node "$here/$3" "$scratch/$1/node_modules" "$url" || failed=1
}

python openai-python "openai==$openai_python" openai_python.py
python langchain-openai "langchain-openai==$langchain_openai" langchain_openai_client.py
python tgi-python "huggingface_hub==$huggingface_hub" tgi_python.py
node_library openai-node "openai@$openai_node" openai_node.mjs
exit $failed
