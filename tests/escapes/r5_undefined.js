// E-R5 S17: undefined as result
// expect: none
export default undefined;
