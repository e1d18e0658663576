// E-S1 S21: endless recursion through METHOD
// expect: ok 7
// each: plain mutual getter setter proxy toString sort replace reviver toJSON species evaluate construct parent
const kinds = {
  plain: () => {
    const f = () => f() + 1;
    f();
  },
  mutual: () => {
    const f = () => g() + 1, g = () => f() + 1;
    f();
  },
  getter: () => {
    const o = {
      get x() {
        return this.x;
      },
    };
    o.x;
  },
  setter: () => {
    const o = {
      set x(v) {
        this.x = v;
      },
    };
    o.x = 1;
  },
  proxy: () => {
    let p = {};
    p = new Proxy({}, { get: (t, k, r) => r[k] });
    p.x;
  },
  toString: () => {
    const o = {
      toString() {
        return "" + this;
      },
    };
    "" + o;
  },
  sort: () => {
    const f = () => [2, 1].sort(f);
    f();
  },
  replace: () => {
    const f = () => "a".replace("a", f);
    f();
  },
  reviver: () => {
    const f = () => JSON.parse("[1]", f);
    f();
  },
  toJSON: () => {
    const o = { toJSON: () => JSON.stringify(o) };
    JSON.stringify(o);
  },
  species: () => {
    class A extends Array {
      static get [Symbol.species]() {
        new A(1).map((x) => x);
        return A;
      }
    }
    new A(1).map((x) => x);
  },
  evaluate: () => {
    globalThis.e = () => eval("e()");
    e();
  },
  construct: () => {
    globalThis.n = () => new Function("n()")();
    n();
  },
  parent: () => {
    class A {
      constructor() {
        new A();
      }
    }
    new A();
  },
};
let caught;
try {
  kinds.METHOD();
} catch (error) {
  caught = error.message;
}
// What follows still runs.
const told = ["stack", "recursion"].some((word) => caught.includes(word));
export default told ? 7 : caught;
