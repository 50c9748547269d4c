"""What a client library has to find at the server, one check a feature; the checks of ClientContract.java in Python.

A client has the methods of Client, which each script writes with its own library.
"""

import base64
import contextlib
import http.server
import json
import os
import pathlib
import sys
import threading
import time
import traceback
import urllib.request
from dataclasses import dataclass, field, replace

MODEL = "idefics-mini-instruct"
PICTURE = pathlib.Path(__file__).parent.parent / "test/resources/mini-eval/images/133.jpg"
DATA_URL = "data:image/jpeg;base64," + base64.b64encode(PICTURE.read_bytes()).decode()
SUN = ("What is on the left?", "A yellow sun is on the left.")
BREAD = ("Write code for bread.", "I do not know. I am a tiny demonstration model and only know simple pictures.")
OVERLOADED = {"message": "The service is busy.", "type": "server_error", "param": None, "code": "overloaded"}
# The tokens that end an answer of the model, and how many fit its context.
ENDS = {"2": -100, "1002": -100}
CONTEXT = 2048


@dataclass(frozen=True)
class Chat:
    """turns: pairs of a text and the URL of a picture or None, the user's and the model's in turn; options: as in the API."""

    turns: list
    model: str = MODEL
    options: dict = field(default_factory=dict)

    def messages(self):
        """The turns as OpenAI writes them."""
        return [
            {"role": "assistant", "content": text} if i % 2 else {"role": "user", "content": content(text, picture)}
            for i, (text, picture) in enumerate(self.turns)
        ]

    def having(self, **options):
        return replace(self, options=options)


def content(text, picture):
    parts = [{"type": "text", "text": text}]
    if picture:
        parts.append({"type": "image_url", "image_url": {"url": picture}})
    return parts


@dataclass(frozen=True)
class Answer:
    """usage: tokens of the prompt and of the answer."""

    pieces: list
    model: str
    finish_reason: str
    usage: tuple

    @property
    def text(self):
        return "".join(self.pieces)


class Client:
    """failures: the exception of each status; refusal: message, code and param of an exception."""

    failures = {}

    def ask(self, chat):
        raise NotImplementedError

    def stream(self, chat):
        raise NotImplementedError

    def leave_after_first_piece(self, chat):
        raise NotImplementedError

    def refusal(self, failure):
        raise NotImplementedError


def tool(choice):
    clock = {"name": "clock", "description": "Tells the time.", "parameters": {"type": "object", "properties": {}}}
    return {"tools": [{"type": "function", "function": clock}], "tool_choice": choice}


def equal(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} instead of {expected!r}")


class Contract:
    def __init__(self, url, connect):
        """connect: base URL and number of retries -> Client"""
        self.url = url
        self.connect = connect
        self.client = connect(url + "/v1", 0)

    def text(self):
        answer = self.client.ask(Chat([(BREAD[0], None)]))
        equal((answer.text, answer.model, answer.finish_reason), (BREAD[1], MODEL, "stop"))

    def streamed_text(self):
        self.same_in_pieces(Chat([(BREAD[0], None)]))

    def picture_in_data_url(self):
        equal(self.client.ask(Chat([(SUN[0], DATA_URL)])).text, SUN[1])

    def picture_by_url(self):
        with picture_host() as picture:
            equal(self.client.ask(Chat([(SUN[0], picture)])).text, SUN[1])

    def streamed_picture(self):
        self.same_in_pieces(Chat([(SUN[0], DATA_URL)]))

    def two_turns(self):
        chat = Chat([(SUN[0], DATA_URL), (SUN[1], None), ("Which color?", None)])
        equal(self.client.ask(chat).text, "It is yellow.")
        self.same_in_pieces(chat)

    def usage(self):
        prompt, answer = self.client.ask(Chat([(SUN[0], DATA_URL)])).usage
        longer, same = self.client.ask(Chat([(SUN[0] + " Say it.", DATA_URL)]).having(max_tokens=answer)).usage
        assert longer > prompt > 0 and 0 < same <= answer, (prompt, longer, answer, same)

    def tools_offered(self):
        chat = Chat([(SUN[0], DATA_URL)]).having(**tool("auto"))
        equal(self.client.ask(chat).text, SUN[1])
        equal(self.client.stream(chat).text, SUN[1])

    def tool_required(self):
        message, code, param = self.refused(400, lambda c: c.ask(Chat([("Hello!", None)]).having(**tool("required"))))
        equal((code, param), ("unsupported_parameter", "tool_choice"))
        assert "tool_choice is 'required'" in message, message

    def bad_value(self):
        with proxy(self.url) as (url, requests):
            client = self.connect(url + "/v1", 2)
            message, code, param = self.refused(400, lambda c: c.ask(Chat([("Hello!", None)]).having(top_p=1.5)), client)
        equal((code, param, len(requests)), ("invalid_value", "top_p", 1))
        assert "top_p is 1.5 but must lie between 0 and 1" in message, message

    def bad_picture_of_stream(self):
        chat = Chat([("Look.", "data:image/png;base64,AAAA")])
        with proxy(self.url) as (url, requests):
            _, code, param = self.refused(400, lambda c: c.stream(chat), self.connect(url + "/v1", 2))
        equal((code, param, len(requests)), ("invalid_image_format", "messages[0].content[1].image_url.url", 1))

    def unknown_model(self):
        chat = replace(Chat([("Hello!", None)]), model="gpt-5")
        for call in (lambda c: c.ask(chat), lambda c: c.stream(chat)):
            message, code, param = self.refused(404, call)
            equal((code, param), ("model_not_found", "model"))
            assert "'gpt-5' does not exist" in message, message

    def overload_repeated(self):
        with proxy(self.url, overloaded=9) as (url, requests):
            _, code, _ = self.refused(503, lambda c: c.ask(Chat([("Hello!", None)])), self.connect(url + "/v1", 1))
        equal((code, len(requests)), ("overloaded", 2))
        assert requests[1] - requests[0] >= 0.9, requests

    def overload_overcome(self):
        with proxy(self.url, overloaded=1) as (url, requests):
            equal(self.connect(url + "/v1", 2).ask(Chat([(BREAD[0], None)])).text, BREAD[1])
        with proxy(self.url, overloaded=1) as (url, more):
            equal(self.connect(url + "/v1", 2).stream(Chat([(BREAD[0], None)])).text, BREAD[1])
        equal((len(requests), len(more)), (2, 2))

    def leaving(self):
        before = self.meter("idefics.engine.tokens?tag=kind:generated")
        self.client.leave_after_first_piece(Chat([("Hello!", None)]).having(logit_bias=ENDS))
        deadline = time.monotonic() + 30
        while self.meter("idefics.engine.sequences.running") > 0:
            assert time.monotonic() < deadline, "still running"
            time.sleep(0.05)
        generated = self.meter("idefics.engine.tokens?tag=kind:generated") - before
        assert 0 < generated < CONTEXT / 2, generated

    def same_in_pieces(self, chat):
        whole, streamed = self.client.ask(chat), self.client.stream(chat)
        equal(streamed, replace(whole, pieces=streamed.pieces))
        equal(streamed.text, whole.text)
        assert len(streamed.pieces) > 2, streamed.pieces

    def refused(self, status, call, client=None):
        client = client or self.client
        try:
            call(client)
        except client.failures[status] as failure:
            return client.refusal(failure)
        raise AssertionError("no exception")

    def meter(self, name):
        with urllib.request.urlopen(f"{self.url}/actuator/metrics/{name}") as response:
            return json.load(response)["measurements"][0]["value"]


@contextlib.contextmanager
def serving(handler, port):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class Quiet(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def reply(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def picture_host():
    """The URL of the picture, as long as it is there."""

    class Host(Quiet):
        def do_GET(self):
            self.reply(200, {"content-type": "image/jpeg"}, PICTURE.read_bytes())

    with serving(Host, int(os.environ["PICTURE_PORT"])) as url:
        yield url + "/133.jpg"


@contextlib.contextmanager
def proxy(target, overloaded=0):
    """Passes requests on, but answers the first ones as an overloaded server; the times of the requests are recorded."""
    requests = []

    class Proxy(Quiet):
        def do_POST(self):
            requests.append(time.monotonic())
            body = self.rfile.read(int(self.headers["content-length"]))
            if len(requests) <= overloaded:
                error = json.dumps({"error": OVERLOADED}).encode()
                self.reply(503, {"content-type": "application/json", "retry-after": "1"}, error)
                return
            request = urllib.request.Request(target + self.path, body, {"content-type": "application/json"})
            try:
                with urllib.request.urlopen(request) as response:
                    self.reply(response.status, response.headers, response.read())
            except urllib.error.HTTPError as error:
                self.reply(error.code, error.headers, error.read())

    with serving(Proxy, 0) as url:
        yield url, requests


def check(connect, **more):
    """Runs all checks against the server that the command line names; more: further checks by name, given the client."""
    contract = Contract(sys.argv[1], connect)
    checks = {
        name: getattr(contract, name)
        for name in (
            "text streamed_text picture_in_data_url picture_by_url streamed_picture two_turns usage tools_offered"
            " tool_required bad_value bad_picture_of_stream unknown_model overload_repeated overload_overcome leaving"
        ).split()
    }
    checks |= {name: lambda run=run: run(contract.client) for name, run in more.items()}
    failed = 0
    for name, run in checks.items():
        try:
            run()
            print("PASS", name.replace("_", " "), flush=True)
        except Exception as failure:
            failed += 1
            print("FAIL", name.replace("_", " "), repr(failure), flush=True)
            traceback.print_exc()
    sys.exit(1 if failed else 0)
