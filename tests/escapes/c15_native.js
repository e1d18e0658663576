// E-C15: cancelling a native loop
// expect: interrupted
// cancel: 50
// fuel: 1e12
Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);
