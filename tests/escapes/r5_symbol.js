// E-R5 S17: a symbol as result
// expect: none symbol
export default Symbol("x");
