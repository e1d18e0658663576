// E-R3 S20: a thrown symbol
// expect: guest Program threw Symbol(odd)
throw Symbol("odd");
