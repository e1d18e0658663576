// E-R3 S20: a thrown symbol
// expect: guest Symbol(odd)
throw Symbol("odd");
