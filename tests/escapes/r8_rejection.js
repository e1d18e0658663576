// E-R8: a rejection that nobody handles
// expect: ok 1
Promise.reject(new Error("x"));
export default 1;
