// E-R6 S17: a result beyond the limit
// expect: limit output
// memory: 512MiB
// fuel: 1e9
export default "x".repeat(80e6);
