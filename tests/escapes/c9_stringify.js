// E-C9: JSON of a graph that doubles 40 times
// expect: limit fuel | limit memory
let a = { x: 1 };
for (let i = 0; i < 40; i++) a = { l: a, r: a };
export default JSON.stringify(a).length;
