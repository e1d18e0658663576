// E-R5 S17: a function that gives a function
// expect: none function
export default () => () => 1;
