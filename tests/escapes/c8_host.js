// E-C8: METHOD of the host in a loop
// expect: limit fuel | limit memory
// each: readFile noFile listFiles log import server timer
// files: {"/x":"y"}
let count = 0;
const acts = {
  readFile: () => readFile("/x"),
  noFile: () => readFile("/nope").catch(() => {}),
  listFiles: () => listFiles("/"),
  log: () => console.log("x"),
  import: () => import("./nope" + count++ + ".js").catch(() => {}),
  server: () => import("mcp:nope" + count++).catch(() => {}),
  timer: () => clearTimeout(setTimeout(() => {}, 1e6)),
};
for (;;) acts["METHOD"]();
