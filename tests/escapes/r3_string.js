// E-R3 S20: a thrown string
// expect: guest plain text
throw "plain text";
