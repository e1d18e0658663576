// E-T3: host functions cannot be replaced
// expect: ok [true,true,true]
const old = callTool;
const refused = (act) => {
  try {
    act();
    return false;
  } catch {
    return true;
  }
};
export default [
  refused(() => delete globalThis.callTool),
  refused(() => globalThis.callTool = () => "forged"),
  refused(() => Object.defineProperty(globalThis, "callTool", { value: 1 })) &&
  callTool === old,
];
