import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { createSlots, MACHINE_CLOCK, orInterrupted } from "../src/waiting.ts";
import { failure } from "./failure.ts";

const refuse = (limit: number) =>
  new AppError("limit", "Too many wait", { limit: { name: "waiting", limit } });

/** Lets everything that is ready happen. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("createSlots lets so many in and the others wait in order", async () => {
  const slots = createSlots({ places: 2 });
  const order: number[] = [];
  const leave: (() => void)[] = [];
  const all = Array.from({ length: 5 }, async (_, at) => {
    leave[at] = await slots.take();
    order.push(at);
  });
  await settle();
  assert.deepEqual(order, [0, 1]);
  assert.ok(slots.isFull);
  assert.equal(slots.waiting, 3);
  // A place given back twice is one place.
  leave[0]!();
  leave[0]!();
  await settle();
  assert.deepEqual(order, [0, 1, 2]);
  for (const at of [1, 2]) leave[at]!();
  await Promise.all(all);
  assert.deepEqual(order, [0, 1, 2, 3, 4]);
  for (const at of [3, 4]) leave[at]!();
  assert.ok(!slots.isFull);
});

Deno.test("createSlots gives places to owners in turn, however many of one wait", async () => {
  const slots = createSlots({ places: 1 });
  const leave = await slots.take({ owner: "busy" });
  const order: string[] = [];
  const enter = async (owner: string) => {
    const leave = await slots.take({ owner });
    order.push(owner);
    leave();
  };
  const all = [..."aaaaaaaabcab"].map((owner) => enter(owner));
  await settle();
  leave();
  await Promise.all(all);
  assert.equal(order.join(""), "abcabaaaaaaa");
  assert.equal(slots.waiting, 0);
});

Deno.test("createSlots gives one owner no more than its share", async () => {
  const slots = createSlots({ places: 4, placesOfOne: 2 });
  const a = [await slots.take({ owner: "a" }), slots.takeNow("a")!];
  assert.equal(slots.takeNow("a"), undefined);
  const third = slots.take({ owner: "a" });
  const b = slots.takeNow("b")!;
  assert.ok(!slots.isFull);
  // What others give back is not for who has its share.
  b();
  assert.equal(slots.waiting, 1);
  a[0]!();
  const last = await third;
  assert.equal(slots.takeNow("a"), undefined);
  a[1]!();
  last();
  assert.equal(slots.waiting, 0);
  const all = ["a", "a", "b", "b"].map((owner) => slots.takeNow(owner)!);
  assert.ok(slots.isFull);
  for (const leave of all) leave();
});

Deno.test("createSlots refuses who would wait beyond the bound of one owner or of all (H11)", async () => {
  const slots = createSlots({ places: 1, waitingOfOne: 2, waiting: 3, refuse });
  const leave = await slots.take();
  const waiting = [slots.take({ owner: "a" }), slots.take({ owner: "a" })];
  assert.equal((await failure(slots.take({ owner: "a" }))).limit?.limit, 2);
  waiting.push(slots.take({ owner: "b" }));
  assert.equal((await failure(slots.take({ owner: "c" }))).limit?.limit, 3);
  leave();
  await Promise.all(waiting.map(async (place) => (await place)()));
  (await slots.take({ owner: "a" }))();
});

Deno.test("createSlots lets who leaves out of the line, and the next one in (B7)", async () => {
  const slots = createSlots({ places: 1, waitingOfOne: 1, refuse });
  const leave = await slots.take();
  for (let round = 0; round < 3; round++) {
    const stop = new AbortController();
    const gone = failure(slots.take({ owner: "a", signal: stop.signal }));
    stop.abort();
    assert.equal((await gone).kind, "interrupted");
    assert.equal(slots.waiting, 0);
  }
  const stays = slots.take({ owner: "a" });
  assert.equal((await failure(slots.take({ owner: "a" }))).kind, "limit");
  leave();
  (await stays)();
  assert.equal((await failure(slots.take({ signal: AbortSignal.abort() }))).kind, "interrupted");
  (await slots.take())();
});

Deno.test("orInterrupted gives what the work gives, or ends with the signal's own error", async () => {
  assert.equal(await orInterrupted(Promise.resolve(1), new AbortController().signal), 1);
  const reason = new AppError("timeout", "Too late");
  const never = new Promise<never>(() => {});
  assert.equal(await failure(orInterrupted(never, AbortSignal.abort(reason))), reason);
});

Deno.test("MACHINE_CLOCK does what is left to do later, unless it is called off", async () => {
  const begun = MACHINE_CLOCK.now();
  const done: string[] = [];
  const callOff = MACHINE_CLOCK.later(1, () => done.push("off"));
  callOff();
  await new Promise<void>((resolve) => {
    const keep = setTimeout(() => {}, 60_000);
    MACHINE_CLOCK.later(5, () => {
      clearTimeout(keep);
      done.push("on");
      resolve();
    });
  });
  assert.deepEqual(done, ["on"]);
  assert.ok(MACHINE_CLOCK.now() >= begun);
});
