// E-T9 S15: a log line of 20 MB
// expect: ok 1
// truncated: 1 line
// memory: 256MiB
// fuel: 1e9
console.log("x".repeat(20e6));
export default 1;
