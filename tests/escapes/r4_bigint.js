// E-R4 S17: a BigInt result
// expect: guest BigInt
export default 1n;
