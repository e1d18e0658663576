// E-T3: host functions cannot be replaced
// expect: ok [true,true,true,true]
import { callTool as imported } from "mcp:host";
const old = callTool;
const refused = (act) => {
  try {
    act();
    return false;
  } catch {
    return true;
  }
};
const results = [
  refused(() => delete globalThis.callTool),
  refused(() => globalThis.callTool = () => "forged"),
  callTool === old,
];
export default [...results, imported === old];
