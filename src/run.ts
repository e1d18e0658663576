// One run inside the worker: the program in its engine, its limits, timers and log, until it has
// settled or was stopped. What it asks for leaves as messages.

import { type Engine, type EngineHost, type GuestText, type Moment, NoMemory } from "./engine.ts";
import { AppError, toAppError } from "./errors.ts";
import {
  MAX_HOST_CALLS,
  MAX_LOG_BYTES,
  MAX_LOG_LINES,
  MAX_OPEN_BYTES,
  MAX_OUTPUT_BYTES,
  MAX_PARAMS_BYTES,
  MAX_RUN_RECEIVED_BYTES,
  MAX_RUN_SENT_BYTES,
  MAX_TIMERS,
} from "./limits.ts";
import type {
  FromWorker,
  GuestCall,
  GuestProgram,
  GuestReport,
  HostAnswer,
  LogEntry,
} from "./messages.ts";
import { createModules, type GuestModules } from "./modules.ts";
import { type GuestFailure, LOG_LEVELS, SERVER_CALLS, ToGuest, ToHost } from "./prelude.ts";
import type { StripMode } from "./source.ts";
import { cleanLine } from "./text.ts";
import {
  count,
  failureText,
  refusal,
  stopError,
  type StopReason,
  unhandledWarnings,
} from "./verdict.ts";
import { WallClock } from "./wall_clock.ts";
import { randomHex, randomSeed, readUrl } from "./web_host.ts";

const MAX_TEXT_BYTES = 64 * 1024;
const MAX_WARNINGS = 20;
/** Fuel for what the host does for a guest: about what it takes, so that no loop of it is cheap. */
const HOST_UNITS = 100;
const MODULE_UNITS = 1000;
const JOBS_PER_BATCH = 256;
const LOG_LINES_PER_MESSAGE = 64;
const CALLS_PER_MESSAGE = 64;

/** What a run is given. */
export interface RunStart {
  readonly run: number;
  readonly program: GuestProgram;
  /** One number that is not 0 once the run must stop, whatever the guest is doing. */
  readonly flag: Int32Array;
  /** A fresh engine with that cap on its memory. */
  readonly startEngine: (memory: number) => Promise<Engine>;
  readonly post: (message: FromWorker) => void;
}

type Timer = ReturnType<typeof setTimeout>;
type Outcome =
  | { readonly json: string | undefined }
  | { readonly failure: GuestFailure }
  | { readonly exports: readonly string[] };
type End = Pick<GuestReport, "json" | "call" | "missing"> & { readonly error?: AppError };

/** Ends the engine from within; the guest cannot catch it. */
class Stop extends Error {}

/** A run from its start to its report; nothing of it is left afterwards. */
export class Run implements EngineHost {
  readonly #start: RunStart;
  #modules: GuestModules | undefined;
  #engine: Engine | undefined;
  readonly #clock: WallClock;
  #outcome: Outcome | undefined;
  #stop: StopReason | undefined;
  #isInterrupted = false;
  #mode: StripMode | undefined;
  #hasEnded = false;
  /** How often it may yet go on where no interrupt is possible: some 20 ms in all for each. */
  readonly #grace = { native: 2, job: 8 };
  #calls = 0;
  #hostCalls = 0;
  /** Calls without an answer, with the size of their requests. */
  readonly #open = new Map<number, number>();
  #openBytes = 0;
  #sentBytes = 0;
  #receivedBytes = 0;
  // What waits to be posted at the end of the turn.
  #asked: GuestCall[] = [];
  readonly #timers = new Map<number, Timer>();
  #lines: LogEntry[] = [];
  #logLines = 0;
  #logBytes = 0;
  #lostLines = 0;
  readonly #warnings: string[] = [];
  readonly #unhandled: GuestFailure[] = [];

  constructor(start: RunStart) {
    this.#start = start;
    this.#clock = new WallClock(start.program.limits.wallMs, () => this.#halt("wall"));
  }

  /** Starts the program; the report comes as a message. */
  async begin(): Promise<void> {
    const { program, startEngine } = this.#start;
    const { entry, args = "", limits } = program;
    let engine: Engine;
    try {
      this.#modules = createModules(program, this.#mode);
      engine = await startEngine(limits.memory);
    } catch (error) {
      return this.#end({ error: toAppError(error) });
    }
    engine.host = this;
    this.#engine = engine;
    this.#clock.begin();
    if (this.#stop !== undefined) return this.#end({ error: this.#stopError() });
    const text = `{"entry":${JSON.stringify(entry)},"args":[${args}]}`;
    this.#turn(() => engine.send(ToGuest.start, randomSeed(), text));
  }

  /** Gives the guest the answers of calls, in order. */
  answer(answers: readonly HostAnswer[]): void {
    for (const one of answers) {
      if ("json" in one) this.#receivedBytes += one.json.length;
    }
    if (this.#receivedBytes > MAX_RUN_RECEIVED_BYTES) return this.#halt("received");
    this.#turn((engine) => {
      let isWhole = true;
      for (const one of answers) {
        if (!this.#close(one.id)) continue;
        const sent = "json" in one
          ? engine.send(ToGuest.answer, one.id, one.json)
          : engine.send(ToGuest.refuse, one.id, JSON.stringify(one.failure));
        isWhole &&= sent;
      }
      return isWhole;
    });
  }

  #close(id: number): boolean {
    this.#openBytes -= this.#open.get(id) ?? 0;
    return this.#open.delete(id);
  }

  /** Lets the wall clock stand still, or go on. */
  holdClock(stands: boolean): void {
    this.#clock.hold(stands);
  }

  /** Stops a run that is waiting; one that computes reads the flag. */
  cancel(): void {
    this.#halt("cancelled");
  }

  interrupts(moment: Moment): boolean {
    // A long turn must not keep back what was asked and written in it.
    this.#flush();
    this.#stop ??= this.#due();
    if (this.#stop === undefined) return false;
    // First a polite interrupt, which tells where the program was; what swallows it is thrown out.
    if (!this.#isInterrupted) {
      if (moment === "code") return this.#isInterrupted = true;
      if (this.#grace[moment]-- > 0) return true;
    }
    throw new Stop();
  }

  resolve(specifier: string, base: string) {
    this.#engine!.charge(MODULE_UNITS + specifier.length);
    return this.#modules!.resolve(specifier, base);
  }

  load(name: string) {
    const answer = this.#modules!.load(name);
    // Taking types out of a text costs about 50 ns a character.
    if ("ok" in answer) this.#engine!.charge(MODULE_UNITS + 5 * answer.ok.length);
    return answer;
  }

  call(kind: number, id: number, text: GuestText): string | undefined {
    this.#engine!.charge(HOST_UNITS);
    if (kind === ToHost.unhandled) this.#unhandled.push(JSON.parse(text.read()));
    if (this.#outcome !== undefined) return undefined;
    if (this.#stop !== undefined && kind !== ToHost.fail) return undefined;
    switch (kind) {
      case ToHost.call:
        return this.#onHostCall(id, text);
      case ToHost.done:
        return this.#onDone(id, text);
      case ToHost.fail:
        this.#outcome = { failure: JSON.parse(text.read()) };
        return undefined;
      case ToHost.log:
        return this.#onLog(id, text);
      case ToHost.timer:
        return this.#onTimer(id, Number(text.read()));
      case ToHost.clearTimer:
        clearTimeout(this.#timers.get(id));
        this.#timers.delete(id);
        return undefined;
      case ToHost.readFile:
        return this.#onRead(text, (path) => this.#modules!.read(path));
      case ToHost.listFiles:
        return this.#onRead(text, (path) => this.#modules!.list(path));
      case ToHost.url:
        return this.#onUrl(text);
      case ToHost.random:
        this.#engine!.charge(id);
        return randomHex(id);
      case ToHost.now:
        return this.#clock.ms.toFixed(2);
      case ToHost.warn:
        this.#warn(cleanLine(String(JSON.parse(text.read()))));
    }
    return undefined;
  }

  #onHostCall(id: number, text: GuestText): string | undefined {
    const { bytes } = text;
    if (bytes > MAX_PARAMS_BYTES) return refusal("Request", bytes);
    this.#sentBytes += bytes;
    if (this.#sentBytes > MAX_RUN_SENT_BYTES) this.#abandon("sent");
    const all = this.#openBytes + bytes;
    if (all > MAX_OPEN_BYTES) return refusal("Open requests", all);
    const body = text.read();
    const space = body.indexOf(" ");
    const name = body.slice(0, space);
    if (SERVER_CALLS.has(name)) {
      if (++this.#calls > this.#start.program.limits.calls) this.#abandon("calls");
    } else if (++this.#hostCalls > MAX_HOST_CALLS) this.#abandon("host calls");
    this.#open.set(id, bytes);
    this.#openBytes = all;
    this.#asked.push({ id, name, json: body.slice(space + 1) });
    if (this.#asked.length >= CALLS_PER_MESSAGE) this.#flush();
    return undefined;
  }

  #onDone(code: number, text: GuestText): undefined {
    if (text.bytes > MAX_OUTPUT_BYTES) this.#abandon("output");
    this.#outcome = code === 2
      ? { exports: JSON.parse(text.read()) }
      : { json: code === 1 ? text.read() : undefined };
  }

  #onLog(level: number, text: GuestText): undefined {
    const left = MAX_LOG_BYTES - this.#logBytes;
    if (++this.#logLines > MAX_LOG_LINES || left <= 0) {
      this.#lostLines++;
      return;
    }
    this.#logBytes += text.bytes;
    let line = String(JSON.parse(text.read()));
    if (text.bytes > left) {
      this.#lostLines++;
      line = `${line.slice(0, left)}...`;
    }
    this.#lines.push({ level: LOG_LEVELS[level] ?? "info", text: line });
    if (this.#lines.length >= LOG_LINES_PER_MESSAGE) this.#flush();
  }

  #onTimer(id: number, ms: number): undefined {
    if (this.#timers.size >= MAX_TIMERS) this.#abandon("timers");
    const fire = () => {
      this.#timers.delete(id);
      this.#turn((engine) => engine.send(ToGuest.timer, id, ""));
    };
    clearTimeout(this.#timers.get(id));
    this.#timers.set(id, setTimeout(fire, Math.min(ms, 2 ** 31 - 1)));
  }

  #onRead(text: GuestText, read: (path: string) => string | string[] | undefined): string {
    try {
      if (text.bytes > MAX_TEXT_BYTES) throw new AppError("invalid", "Path is too long");
      const found = read(String(JSON.parse(text.read())));
      this.#engine!.charge(this.#start.program.files.size);
      if (found === undefined) return "?";
      this.#engine!.charge(found.length >> 6);
      if (typeof found !== "string") return `[${JSON.stringify(found)}`;
      // Only what a C string holds may cross raw.
      const isRaw = !found.includes("\0") && found.isWellFormed();
      return isRaw ? `=${found}` : `"${JSON.stringify(found)}`;
    } catch (error) {
      return `!${JSON.stringify(toAppError(error).message)}`;
    }
  }

  #onUrl(text: GuestText): string | undefined {
    if (text.bytes > MAX_TEXT_BYTES) return undefined;
    this.#engine!.charge(100 + text.bytes);
    return readUrl(text.read());
  }

  #due(): StopReason | undefined {
    if (this.#engine!.fuel > this.#start.program.limits.fuel) return "fuel";
    if (Atomics.load(this.#start.flag, 0) !== 0) return "cancelled";
    return this.#clock.isOver ? "wall" : undefined;
  }

  #abandon(reason: StopReason): never {
    this.#stop ??= reason;
    throw new Stop();
  }

  #halt(reason: StopReason): void {
    this.#stop ??= reason;
    if (this.#engine !== undefined) this.#end({ error: this.#stopError() });
  }

  // Lets the guest go on until it has nothing to do, then ends the run or leaves it waiting.
  #turn(act: (engine: Engine) => boolean): void {
    const engine = this.#engine;
    if (engine === undefined) return;
    let fault: unknown;
    let isWhole = true;
    try {
      isWhole = act(engine);
      while (this.#outcome === undefined && engine.runJobs(JOBS_PER_BATCH)) {
        this.#stop ??= this.#due();
      }
    } catch (error) {
      fault = error;
    }
    this.#flush();
    const end = this.#judge(engine, { fault, isWhole });
    if (end === undefined) {
      if (this.#engine !== undefined) this.#clock.wait();
      return;
    }
    if (fault === undefined && this.#stop === undefined) this.#tellUnhandled(engine);
    this.#end(end);
  }

  // The program has its outcome: what it may do now costs it these warnings and nothing else.
  #tellUnhandled(engine: Engine): void {
    const { unhandled } = engine;
    try {
      engine.sendUnhandled(ToGuest.unhandled);
    } catch {
      // A reason that does not stop being described.
    }
    const place = (stack: string) => this.#modules!.place(stack)?.at;
    for (const text of unhandledWarnings(this.#unhandled, { unhandled, place })) this.#warn(text);
  }

  #judge(
    engine: Engine,
    { fault, isWhole }: { fault: unknown; isWhole: boolean },
  ): End | undefined {
    if (this.#stop === undefined && fault !== undefined) {
      // Whatever is thrown through the engine's frames leaves it broken; it is never used again.
      if (fault instanceof NoMemory || engine.refusedMemory) this.#stop = "memory";
      else if (fault instanceof RangeError) this.#stop = "stack";
      else return { error: new AppError("failure", "Sandbox engine failed", { cause: fault }) };
    }
    if (this.#stop !== undefined) return { error: this.#stopError() };
    const outcome = this.#outcome;
    if (outcome === undefined) {
      if (isWhole && this.#open.size + this.#timers.size > 0) return undefined;
      if (engine.refusedMemory) return this.#stopped("memory");
      const hint = "some promise that the program awaits is never resolved";
      return { error: new AppError("guest", "Program can never settle", { hint }) };
    }
    if ("failure" in outcome) return this.#judgeFailure(engine, outcome.failure);
    if ("exports" in outcome) return this.#judgeExports(outcome.exports);
    if (this.#open.size > 0) {
      this.#warn(
        `${count(this.#open.size, "call")} had no answer when the program ended: use await`,
      );
    }
    return outcome.json === undefined ? {} : { json: outcome.json };
  }

  #judgeFailure(engine: Engine, failure: GuestFailure): End | undefined {
    const { message, call, internal, plain } = failure;
    // At the brim not even an Error can be made, and null is thrown.
    const noMemory = internal ? message === "out of memory" : plain && message === "null";
    if (noMemory && engine.refusedMemory) return this.#stopped("memory");
    if (internal && message === "stack overflow") return this.#stopped("stack");
    const mode = this.#secondMode(failure);
    if (mode !== undefined) return void this.#retry(mode);
    const known = this.#modules!.failure(message);
    if (known !== undefined) return known;
    const error = new AppError("guest", failureText(failure), this.#place());
    return { error, ...(call !== 0 && { call }) };
  }

  // How a program is read once more, of which nothing ran yet that anybody could have seen.
  #secondMode({ name, message }: GuestFailure): StripMode | undefined {
    if (this.#mode !== undefined) return undefined;
    if (this.#calls + this.#hostCalls + this.#logLines + this.#timers.size > 0) return undefined;
    // An import of a type that only `transform` takes out.
    if (message.startsWith("Could not find export")) return "transform";
    // The parser of types says what is wrong, and where.
    return name === "SyntaxError" ? "strip" : undefined;
  }

  #retry(mode: StripMode): void {
    this.#mode = mode;
    this.#outcome = undefined;
    this.#engine = undefined;
    this.#clock.end();
    void this.begin();
  }

  #judgeExports(names: readonly string[]): End {
    const { entry } = this.#start.program;
    if (entry === "default") {
      const other = names.length === 0 ? ', or end it with "return VALUE"' : "";
      this.#warn(`Program has no result: add "export default VALUE"${other}`);
      return {};
    }
    const hint = names.length === 0
      ? "it exports nothing"
      : `it exports ${cleanLine(names.join(", "))}`;
    return {
      error: new AppError("guest", `Program has no export "${cleanLine(entry, 80)}"`, { hint }),
    };
  }

  #stopped(reason: StopReason): End {
    this.#stop = reason;
    return { error: this.#stopError() };
  }

  #stopError(): AppError {
    return stopError(this.#stop!, {
      limits: this.#start.program.limits,
      fuel: this.#engine?.fuel ?? 0,
      memory: this.#engine?.memory ?? 0,
      ms: this.#clock.countedMs,
      calls: this.#calls,
      open: this.#open.size,
      place: this.#place(),
    });
  }

  #place() {
    if (this.#outcome === undefined || !("failure" in this.#outcome)) return undefined;
    return this.#modules?.place(this.#outcome.failure.stack, this.#isInterrupted);
  }

  #warn(text: string): void {
    if (this.#warnings.length < MAX_WARNINGS) this.#warnings.push(text);
  }

  #flush(): void {
    const { run, post } = this.#start;
    if (this.#lines.length > 0) post({ type: "log", run, entries: this.#lines });
    if (this.#asked.length > 0) post({ type: "calls", run, calls: this.#asked });
    this.#lines = [];
    this.#asked = [];
  }

  #end({ error, ...rest }: End): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#clock.end();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#flush();
    const engine = this.#engine;
    this.#engine = undefined;
    const lost = this.#lostLines;
    const report: GuestReport = {
      ok: error === undefined,
      ...rest,
      ...(error !== undefined && { error: error.toJSON() }),
      fuel: engine?.fuel ?? 0,
      memory: engine?.memory ?? 0,
      ms: this.#clock.ms,
      truncated: lost === 0 ? [] : [`log: ${count(lost, "line")} left out or cut`],
      warnings: this.#warnings,
    };
    this.#start.post({ type: "done", run: this.#start.run, report });
  }
}
