// Runs the module whose path is given. Fails if the module fails, or if no event is left before it has succeeded.
import { readFileSync } from "node:fs";

let hasSucceeded = false;
const decoder = new TextDecoder();
const text = (start, length) => decoder.decode(new Uint8Array(module.memory.buffer, start, length));

const host = {
  report: (start, length) => console.log(`  ${text(start, length)}`),
  fail: (start, length) => {
    console.error(text(start, length));
    process.exit(1);
  },
  succeed: () => (hasSucceeded = true),
  timer: (settle, milliseconds) => {
    const promise = new Promise((keep, reject) =>
      setTimeout(() => (milliseconds > 0 ? keep(milliseconds) : reject()), milliseconds),
    );
    promise.then((value) => module.settle(settle, value, true), () => module.settle(settle, 0, false));
  },
};

process.on("exit", (status) => {
  if (status === 0 && !hasSucceeded) {
    console.error("no event is left, and a task is still asleep");
    process.exitCode = 1;
  }
});

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), { host });
const module = instance.exports;
module.start();
