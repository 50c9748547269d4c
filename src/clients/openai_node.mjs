// OpenAI's JavaScript library against a running server: the checks of contract.py.
// Arguments: the directory of node_modules, the address of the server, as in http://localhost:8080.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const [modules, server] = process.argv.slice(2);
const entry = createRequire(path.resolve(modules, "x")).resolve("openai");
const { default: OpenAI } = await import(pathToFileURL(entry));

const MODEL = "idefics-mini-instruct";
const PICTURE = readFileSync(new URL("../test/resources/mini-eval/images/133.jpg", import.meta.url));
const DATA_URL = "data:image/jpeg;base64," + PICTURE.toString("base64");
const [SUN, SUN_ANSWER] = ["What is on the left?", "A yellow sun is on the left."];
const [BREAD, BREAD_ANSWER] = [
    "Write code for bread.",
    "I do not know. I am a tiny demonstration model and only know simple pictures.",
];
// The tokens that end an answer of the model, and how many fit its context.
const ENDS = { 2: -100, 1002: -100 };
const CONTEXT = 2048;

const connect = (url = server, maxRetries = 0) => new OpenAI({ baseURL: url + "/v1", apiKey: "none", maxRetries });
const client = connect();
const user = (text, url) => ({
    role: "user",
    content: [{ type: "text", text }, ...(url ? [{ type: "image_url", image_url: { url } }] : [])],
});
const ask = (messages, options = {}, library = client) =>
    library.chat.completions.create({ model: MODEL, messages, ...options });
const text = async (...args) => (await ask(...args)).choices[0].message.content;

async function streamed(messages, options = {}, library = client) {
    const stream = await ask(messages, { ...options, stream: true, stream_options: { include_usage: true } }, library);
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    const choices = chunks.flatMap((chunk) => chunk.choices);
    return {
        pieces: choices.map((choice) => choice.delta.content).filter(Boolean),
        finishReason: choices.at(-1).finish_reason,
        model: chunks[0].model,
        usage: chunks.at(-1).usage,
    };
}

async function assertSameInPieces(messages) {
    const whole = await ask(messages);
    const { pieces, finishReason, model, usage } = await streamed(messages);
    assert.equal(pieces.join(""), whole.choices[0].message.content);
    assert.ok(pieces.length > 2);
    assert.deepEqual([finishReason, model], [whole.choices[0].finish_reason, whole.model]);
    for (const count of ["prompt_tokens", "completion_tokens", "total_tokens"]) {
        assert.equal(usage[count], whole.usage[count]);
    }
    const helped = await client.chat.completions.stream({ model: MODEL, messages }).finalContent();
    assert.equal(helped, whole.choices[0].message.content);
}

/** Asserts that a call fails with this class, code and param, and returns the message. */
async function refused(type, code, param, call) {
    const failure = await call().then(
        () => assert.fail("no exception"),
        (error) => error,
    );
    assert.ok(failure instanceof type, failure);
    assert.deepEqual([failure.code, failure.param], [code, param]);
    return failure.message;
}

/** Lends the URL of a listener to a function. */
async function serving(port, handler, use) {
    const host = http.createServer(handler);
    await new Promise((resolve) => host.listen(port, "127.0.0.1", resolve));
    try {
        return await use("http://127.0.0.1:" + host.address().port);
    } finally {
        host.closeAllConnections();
        await new Promise((resolve) => host.close(resolve));
    }
}

const withPicture = (use) =>
    serving(
        Number(process.env.PICTURE_PORT),
        (request, response) => response.setHeader("content-type", "image/jpeg").end(PICTURE),
        (url) => use(url + "/133.jpg"),
    );

/** Passes requests on, but answers the first ones as an overloaded server; gives the times of the requests. */
async function withProxy(overloaded, use) {
    const requests = [];
    const pass = async (request, response) => {
        requests.push(performance.now());
        const body = Buffer.concat(await request.toArray());
        if (requests.length <= overloaded) {
            response.writeHead(503, { "content-type": "application/json", "retry-after": "1" });
            const error = { message: "The service is busy.", type: "server_error", param: null, code: "overloaded" };
            response.end(JSON.stringify({ error }));
            return;
        }
        const headers = { "content-type": "application/json" };
        const answer = await fetch(server + request.url, { method: "POST", headers, body });
        response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") });
        response.end(Buffer.from(await answer.arrayBuffer()));
    };
    await serving(0, pass, use);
    return requests;
}

async function meter(name) {
    const response = await fetch(`${server}/actuator/metrics/${name}`);
    return (await response.json()).measurements[0].value;
}

const clock = { name: "clock", description: "Tells the time.", parameters: { type: "object", properties: {} } };
const tools = [{ type: "function", function: clock }];

const checks = {
    async text() {
        const answer = await ask([user(BREAD)]);
        assert.equal(answer.choices[0].message.content, BREAD_ANSWER);
        assert.deepEqual([answer.model, answer.choices[0].finish_reason], [MODEL, "stop"]);
    },
    async "streamed text"() {
        await assertSameInPieces([user(BREAD)]);
    },
    async "picture in data url"() {
        assert.equal(await text([user(SUN, DATA_URL)]), SUN_ANSWER);
    },
    async "picture by url"() {
        await withPicture(async (url) => assert.equal(await text([user(SUN, url)]), SUN_ANSWER));
    },
    async "streamed picture"() {
        await assertSameInPieces([user(SUN, DATA_URL)]);
    },
    async "two turns"() {
        const messages = [user(SUN, DATA_URL), { role: "assistant", content: SUN_ANSWER }, user("Which color?")];
        assert.equal(await text(messages), "It is yellow.");
        await assertSameInPieces(messages);
    },
    async usage() {
        const { usage } = await ask([user(SUN, DATA_URL)]);
        assert.ok(usage.prompt_tokens > 0 && usage.completion_tokens > 0);
        assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
    },
    async "tools offered"() {
        const options = { tools, tool_choice: "auto" };
        assert.equal(await text([user(SUN, DATA_URL)], options), SUN_ANSWER);
        assert.equal((await streamed([user(SUN, DATA_URL)], options)).pieces.join(""), SUN_ANSWER);
    },
    async "tool required"() {
        const call = () => ask([user("Hello!")], { tools, tool_choice: "required" });
        const message = await refused(OpenAI.BadRequestError, "unsupported_parameter", "tool_choice", call);
        assert.match(message, /tool_choice is 'required'/);
    },
    async "bad value"() {
        const requests = await withProxy(0, async (url) => {
            const call = () => ask([user("Hello!")], { top_p: 1.5 }, connect(url, 2));
            const message = await refused(OpenAI.BadRequestError, "invalid_value", "top_p", call);
            assert.match(message, /top_p is 1.5 but must lie between 0 and 1/);
        });
        assert.equal(requests.length, 1);
    },
    async "bad picture of stream"() {
        const requests = await withProxy(0, async (url) => {
            const call = () => streamed([user("Look.", "data:image/png;base64,AAAA")], {}, connect(url, 2));
            const param = "messages[0].content[1].image_url.url";
            await refused(OpenAI.BadRequestError, "invalid_image_format", param, call);
        });
        assert.equal(requests.length, 1);
    },
    async "unknown model"() {
        for (const call of [ask, streamed]) {
            const named = () => call([user("Hello!")], { model: "gpt-5" });
            const message = await refused(OpenAI.NotFoundError, "model_not_found", "model", named);
            assert.match(message, /'gpt-5' does not exist/);
        }
    },
    async "overload repeated"() {
        const requests = await withProxy(9, async (url) => {
            const call = () => ask([user("Hello!")], {}, connect(url, 1));
            await refused(OpenAI.InternalServerError, "overloaded", null, call);
        });
        assert.equal(requests.length, 2);
        assert.ok(requests[1] - requests[0] >= 900);
    },
    async "overload overcome"() {
        const asked = await withProxy(1, async (url) =>
            assert.equal(await text([user(BREAD)], {}, connect(url, 2)), BREAD_ANSWER),
        );
        const read = await withProxy(1, async (url) =>
            assert.equal((await streamed([user(BREAD)], {}, connect(url, 2))).pieces.join(""), BREAD_ANSWER),
        );
        assert.deepEqual([asked.length, read.length], [2, 2]);
    },
    async leaving() {
        const before = await meter("idefics.engine.tokens?tag=kind:generated");
        for await (const chunk of await ask([user("Hello!")], { logit_bias: ENDS, stream: true })) {
            if (chunk.choices[0]?.delta.content) break; // closes the stream
        }
        for (let i = 0; (await meter("idefics.engine.sequences.running")) > 0; i++) {
            assert.ok(i < 600, "still running");
            await wait(50);
        }
        const generated = (await meter("idefics.engine.tokens?tag=kind:generated")) - before;
        assert.ok(generated > 0 && generated < CONTEXT / 2, String(generated));
    },
    async models() {
        const ids = [];
        for await (const model of client.models.list()) ids.push(model.id);
        assert.deepEqual(ids, [MODEL]);
        assert.equal((await client.models.retrieve(MODEL)).id, MODEL);
    },
};

for (const [name, run] of Object.entries(checks)) {
    try {
        await run();
        console.log("PASS", name);
    } catch (failure) {
        process.exitCode = 1;
        console.log("FAIL", name, String(failure));
        console.error(failure);
    }
}
