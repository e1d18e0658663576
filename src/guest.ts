// The worker that programs run in: one run at a time, each in a fresh engine. It has no permission,
// and reaches nothing but the main thread's messages.

import { createEngineMaker, type Engine, type EngineMaker } from "./engine.ts";
import { decodeImage } from "./engine_image.ts";
import { type ErrorDocument, toAppError } from "./errors.ts";
import { DEFAULT_RUN_LIMITS, GUEST_STACK_BYTES } from "./limits.ts";
import type { FromWorker, GuestProgram, ToWorker } from "./messages.ts";
import { BUILT_INS, PRELUDE, PRELUDE_NAME } from "./prelude.ts";
import { Run } from "./run.ts";
import { prepareOnce } from "./source.ts";

const scope = self as unknown as {
  postMessage(message: FromWorker): void;
  onmessage: (event: MessageEvent<ToWorker>) => void;
};

let engines: EngineMaker | undefined;
let spare: { readonly memory: number; readonly engine: Promise<Engine> } | undefined;
let current: { readonly id: number; readonly run: Run } | undefined;

scope.onmessage = ({ data }) => {
  if (data.type === "engine") {
    engines = createEngineMaker({
      module: data.module,
      stack: GUEST_STACK_BYTES,
      prelude: PRELUDE,
      preludeName: PRELUDE_NAME,
      builtIns: BUILT_INS,
      image: data.image && decodeImage(data.image),
    });
    return warmUp();
  }
  if (data.type === "run") {
    const run = new Run({ ...data, startEngine: takeEngine, post });
    current = { id: data.run, run };
    return void run.begin();
  }
  if (data.type === "imports") {
    return post({ type: "imports", request: data.request, ...readImports(data) });
  }
  // What comes for an earlier run is late.
  if (current?.id !== data.run) return;
  if (data.type === "answers") current.run.answer(data.answers);
  else if (data.type === "clock") current.run.holdClock(data.stands);
  else current.run.cancel();
};

function post(message: FromWorker): void {
  scope.postMessage(message);
  if (message.type !== "done") return;
  current = undefined;
  prepareNext();
}

// The next run's engine is made while nobody waits for it.
function prepareNext(): void {
  if (spare !== undefined) return;
  const engine = engines!.start(lastMemory);
  engine.catch(() => {});
  spare = { memory: lastMemory, engine };
}

let lastMemory: number = DEFAULT_RUN_LIMITS.memory;

// The engine's functions are compiled when they are called first: better now than in a run that
// somebody waits for.
function warmUp(): void {
  const nothing: GuestProgram = {
    ...{ source: "export default 1", path: "main.js", entry: "default", args: undefined },
    ...{ files: new Map(), servers: new Map(), hostFolders: [], limits: DEFAULT_RUN_LIMITS },
  };
  const flag = new Int32Array(1);
  const startEngine = (memory: number) => engines!.start(memory);
  const post = ({ type }: FromWorker) => type === "done" && prepareNext();
  void new Run({ run: 0, program: nothing, flag, startEngine, post }).begin();
}

function takeEngine(memory: number): Promise<Engine> {
  const ready = spare?.memory === memory ? spare.engine : engines!.start(memory);
  spare = undefined;
  lastMemory = memory;
  return ready;
}

function readImports(
  { source, path }: { readonly source: string; readonly path: string },
): { imports: readonly string[] } | { error: ErrorDocument } {
  try {
    return { imports: prepareOnce(source, { path }).imports };
  } catch (error) {
    return { error: toAppError(error).toJSON() };
  }
}
