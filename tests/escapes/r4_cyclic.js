// E-R4 S17: a cyclic result
// expect: guest circular
const a = {};
a.a = a;
export default a;
