// The counterpart of IdeficsModelBenchmark for llama.cpp: prefill of a prompt and decode of one token at a time.
// Arguments: the directory of node_modules, a GGUF file, tokens of the prompt, tokens to decode, threads.
// Prints the medians in milliseconds as one line of JSON. With LLAMA_LOG=1 the library tells what it does.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, file, ...numbers] = process.argv.slice(2);
const [promptTokens, decodeTokens, threads] = numbers.map(Number);
const ROUNDS = 5;
const entry = createRequire(path.resolve(modules, "x")).resolve("node-llama-cpp");
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(entry));

const llama = await getLlama({
    gpu: false,
    build: "never", // the prebuilt library takes the best of its variants for this processor
    maxThreads: threads,
    skipDownload: true,
    logLevel: process.env.LLAMA_LOG ? LlamaLogLevel.debug : LlamaLogLevel.error,
});
const model = await llama.loadModel({ modelPath: path.resolve(file), gpuLayers: 0 });
const times = { prefill_ms: [], decode_ms_per_token: [] };
const context = await model.createContext({
    contextSize: promptTokens + decodeTokens + 64,
    batchSize: Math.max(512, promptTokens), // a prompt is one batch, as it is for the other
    threads: { ideal: threads, min: threads },
});
const sequence = context.getSequence();
const prompt = Array.from({ length: promptTokens }, (_, i) => 3 + (i % 256));

for (let round = 0; round <= ROUNDS; round++) {
    await sequence.clearHistory();
    const start = performance.now();
    // Greedy; the first token ends the prefill, and each of the others is a pass for one token. Node and the choice of a
    // token take about 0.3 ms of each.
    const tokens = sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true });
    await tokens.next();
    const prefilled = performance.now();
    for (let i = 0; i < decodeTokens; i++) {
        await tokens.next();
    }
    const decoded = performance.now();
    await tokens.return();
    if (round > 0) { // the first round warms up
        times.prefill_ms.push(prefilled - start);
        times.decode_ms_per_token.push((decoded - prefilled) / decodeTokens);
    }
}
const median = (values) => values.sort((x, y) => x - y)[Math.floor(values.length / 2)];
console.log(JSON.stringify(Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]))));
console.error(`llama.cpp ${llama.llamaCppRelease.release}, ${llama.systemInfo.trim()}`);
process.exit(0);
