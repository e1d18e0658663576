// E-R5: no result
// expect: none export default
const a = 1;
