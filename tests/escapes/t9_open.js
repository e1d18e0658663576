// E-T9 S18: requests that fill the host
// expect: ok "refused" | limit fuel | limit calls | limit sent
// fuel: 1e9
// memory: 256MiB
const text = "x".repeat(1e6);
const all = Array.from({ length: 400 }, () => callTool("a", "b", { text }));
const ends = await Promise.allSettled(all);
export default ends.some((end) => end.status === "rejected") ? "refused" : "taken";
