// E-C8: String.raw of a long template
// expect: limit fuel
String.raw({ raw: { length: 2 ** 53 - 1 } });
