// E-R5 S17: NaN as result
// expect: ok null
export default NaN;
