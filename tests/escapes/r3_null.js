// E-R3 S20: a thrown null
// expect: guest Program threw null
throw null;
