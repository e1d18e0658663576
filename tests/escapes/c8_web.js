// E-C8: METHOD in a loop
// expect: limit fuel | limit memory
// each: encoder decoder btoa atob url params clone random uuid now
const text = "a".repeat(1e5);
const acts = {
  encoder: () => new TextEncoder().encode(text),
  decoder: () => new TextDecoder().decode(new Uint8Array(1e5)),
  btoa: () => btoa(text),
  atob: () => atob(text),
  url: () => new URL("https://example.com/" + text.slice(0, 1000)),
  params: () => new URLSearchParams(text.replaceAll("a", "a=1&")),
  clone: () => structuredClone(text.split("")),
  random: () => crypto.getRandomValues(new Uint8Array(65536)),
  uuid: () => crypto.randomUUID(),
  now: () => performance.now(),
};
for (;;) acts["METHOD"]();
