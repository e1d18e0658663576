// E-R3 S20: a thrown null
// expect: guest null
throw null;
