// E-C1 S1: a comparison that never comes true
// expect: limit fuel
let x = NaN;
do x = x + 1; while (x !== 1);
