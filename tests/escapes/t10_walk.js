// E-T10 S27 S22: nothing in reach tells of the host
// expect: ok []
// fuel: 5e8
// files: {"/mcp-tools/x":"y"}
// Walks everything a program can reach, by every kind of key, and reads every text on the way.
const seen = new Set();
const found = new Set();
const suspicious =
  /file:\/\/|deno|node_modules|worker|postMessage|\/(home|root|tmp|Users|work)\b|secret-canary/i;
const look = (text) => {
  if (suspicious.test(text)) found.add(String(text).slice(0, 200));
};
const queue = [globalThis, await import("mcp:host"), import.meta];
const ways = [
  () => callTool("a", "b"),
  () => callTool("a", "fail"),
  () => callTool(1),
  () => readFile("/nope"),
  () => listFiles("/nope"),
  () => import("node:fs"),
  () => import("./nope.ts"),
  () => new URL("nope"),
  () => structuredClone(() => 1),
  () => fetch("x"),
  () => require("x"),
  () => eval("("),
  () => null.x,
  () => new Uint8Array(2 ** 40),
];
for (const way of ways) {
  try {
    queue.push(await way());
  } catch (error) {
    queue.push(error);
  }
}
while (queue.length > 0) {
  const value = queue.pop();
  if (typeof value === "string") look(value);
  if ((typeof value !== "object" || value === null) && typeof value !== "function") continue;
  if (seen.has(value)) continue;
  seen.add(value);
  if (typeof value === "function") look(Function.prototype.toString.call(value));
  queue.push(Object.getPrototypeOf(value));
  for (const key of Reflect.ownKeys(value)) {
    if (typeof key === "string") look(key);
    const own = Reflect.getOwnPropertyDescriptor(value, key);
    queue.push(own.value, own.get, own.set);
    try {
      queue.push(value[key]);
    } catch (error) {
      queue.push(error);
    }
  }
}
if (seen.size < 500) found.add("walked only " + seen.size);
export default [...found];
