// E-C8: normalising many combining marks
// expect: limit fuel
("a" + "\u0300\u0301\u0327".repeat(3e5)).normalize("NFD");
