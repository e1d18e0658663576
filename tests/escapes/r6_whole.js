// E-R6: a result of 20 million characters
// expect: ok-length 20000000
// memory: 256MiB
// fuel: 1e9
export default "x".repeat(20e6);
