// E-C1 S1: an endless loop
// expect: limit fuel
while (true) {}
