// E-R4 S17: a result of two billion holes
// expect: limit fuel | limit memory | guest
const holes = [];
holes.length = 2 ** 31;
export default holes;
