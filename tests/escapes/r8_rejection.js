// E-R8: a rejection that nobody handles
// expect: ok 1
// warns: nobody handled it: Error: x at attack.js:
Promise.reject(new Error("x"));
export default 1;
