// E-R8 S9: a rejection whose reason does not stop being read
// expect: ok 1
// warns: 2 promises rejected and handled by nobody
// fuel: 1e6
const endless = {
  get() {
    for (;;);
  },
};
Promise.reject(new Proxy(new Error("x"), endless));
Promise.reject(
  new Proxy({}, {
    ...endless,
    ownKeys() {
      for (;;);
    },
  }),
);
export default 1;
