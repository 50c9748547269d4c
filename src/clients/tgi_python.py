"""Hugging Face's Python library, which speaks text-generation-inference, against a running server that serves its built-in
model; the argument is its address, as in http://localhost:8080. Needs huggingface_hub."""

import base64
import json
import sys
import traceback
import urllib.request
from pathlib import Path

from huggingface_hub import InferenceClient
from huggingface_hub.errors import TextGenerationError, ValidationError

EVALUATION = Path(__file__).resolve().parents[1] / "test/resources/mini-eval"
STRUCTURE = "<fake_token_around_image>"

url = sys.argv[1].rstrip("/")
client = InferenceClient(url, token="unused")


def data_url(path):
    return "data:image/png;base64," + base64.b64encode((EVALUATION / path).read_bytes()).decode()


def inputs(reference):
    """The prompt of the reference as it is written for text-generation-inference."""
    text = reference["prompt"].removeprefix("<s>").replace(STRUCTURE, "")
    for path in reference["images"]:
        text = text.replace("<image>", f"![]({data_url(path)})", 1)
    return text


references = [json.loads(line) for line in (EVALUATION / "reference_answers.jsonl").read_text().splitlines()]
reference = references[0]
prompt = inputs(reference)


def whole_text():
    for one in references[:8]:
        equal(client.text_generation(inputs(one), max_new_tokens=40).strip(), one["text_f32"])


def details():
    answer = client.text_generation(prompt, max_new_tokens=40, details=True, decoder_input_details=True, top_n_tokens=2)
    equal([token.id for token in answer.details.prefill], reference["prompt_ids"])
    equal([token.id for token in answer.details.tokens], reference["generated_ids_f32"])
    equal(answer.details.finish_reason, "eos_token")
    equal(answer.details.seed, None)
    equal("".join(token.text for token in answer.details.tokens if not token.special), answer.generated_text)
    equal([len(top) for top in answer.details.top_tokens], [2] * len(answer.details.tokens))


def stream():
    tokens = list(client.text_generation(prompt, max_new_tokens=40, stream=True))
    equal("".join(tokens), " " + reference["text_f32"] + "<end_of_utterance>")


def stream_with_details():
    events = list(client.text_generation(prompt, max_new_tokens=3, stream=True, details=True))
    equal([event.token.id for event in events], reference["generated_ids_f32"][:3])
    equal([event.index for event in events], [1, 2, 3])
    equal([event.generated_text for event in events[:2]], [None, None])
    equal(events[2].generated_text, "".join(event.token.text for event in events))
    equal((events[2].details.finish_reason, events[2].details.generated_tokens), ("length", 3))
    equal(events[2].details.input_length, len(reference["prompt_ids"]))


def sampling():
    first = client.text_generation(prompt, max_new_tokens=8, do_sample=True, temperature=3.0, details=True)
    again = client.text_generation(
        prompt, max_new_tokens=8, do_sample=True, temperature=3.0, seed=first.details.seed, details=True
    )
    equal([token.id for token in again.details.tokens], [token.id for token in first.details.tokens])
    best = client.text_generation(prompt, max_new_tokens=8, best_of=3, temperature=3.0, details=True)
    equal(len(best.details.best_of_sequences), 2)


def stop_and_full_text():
    equal(client.text_generation(prompt, max_new_tokens=40, stop=[" is"]), " The ring is")
    equal(client.text_generation(prompt, max_new_tokens=1, return_full_text=True), prompt + " The")


def grammar():
    text = client.text_generation(
        prompt, max_new_tokens=40, grammar={"type": "regex", "value": "(blue|purple) (ring|square)"}
    )
    equal(text, "purple ring")


def mistakes():
    for arguments in [{"top_p": 1.0}, {"best_of": 2}, {"watermark": True}, {"stream": True, "best_of": 2}]:
        try:
            list(client.text_generation(prompt, max_new_tokens=1, **arguments))
        except ValidationError as failure:
            assert "Input validation error: " in str(failure), failure
        else:
            raise AssertionError(f"{arguments} is accepted")
    try:
        client.text_generation("![](http://127.0.0.1:1/x.png)", max_new_tokens=1)
    except TextGenerationError as failure:
        equal(type(failure), ValidationError)
    else:
        raise AssertionError("an unreachable picture is accepted")


def other_endpoints():
    equal(get("/info")["model_pipeline_tag"], "image-text-to-text")
    with urllib.request.urlopen(url + "/health") as response:
        equal(response.status, 200)
    equal([token["id"] for token in post("/tokenize", {"inputs": prompt})], reference["prompt_ids"])
    conversation = [{"role": "user", "content": "hi"}]
    assert post("/chat_tokenize", {"messages": conversation})["templated_text"].endswith("Assistant:")


def get(path):
    with urllib.request.urlopen(url + path) as response:
        return json.load(response)


def post(path, body):
    request = urllib.request.Request(
        url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def equal(actual, expected):
    assert actual == expected, f"{actual!r} is not {expected!r}"


failed = False
for feature in [
    whole_text,
    details,
    stream,
    stream_with_details,
    sampling,
    stop_and_full_text,
    grammar,
    mistakes,
    other_endpoints,
]:
    try:
        feature()
        print("PASS", feature.__name__)
    except Exception:  # a feature that fails must not hide the others
        failed = True
        print("FAIL", feature.__name__)
        traceback.print_exc()
sys.exit(failed)
