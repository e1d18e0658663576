// E-C7 S8: the keys of a proxy that claims too many
// expect: limit fuel | limit memory | guest
Object.keys(new Proxy({}, { ownKeys: () => ({ length: 2 ** 53 - 1 }) }));
