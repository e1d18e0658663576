// E-T10 S27: METHOD tells nothing of the host
// expect: ok false
// each: stackTrace limit capture meta source callee rejected
const acts = {
  stackTrace: () => {
    Error.prepareStackTrace = (error, frames) => frames;
    return new Error("x").stack;
  },
  limit: () => {
    Error.stackTraceLimit = 1e9;
    return new Error("x").stack;
  },
  capture: () => {
    const o = {};
    Error.captureStackTrace?.(o);
    return o.stack;
  },
  meta: () => JSON.stringify(import.meta) + Object.keys(import.meta),
  source: () => callTool.toString() + console.log.toString() + URL.toString(),
  callee: () =>
    (function () {
      try {
        return arguments.callee.caller;
      } catch (e) {
        return e.stack;
      }
    })(),
  rejected: () => callTool("a", "fail").catch((error) => error.stack + JSON.stringify(error)),
};
const text = String(await acts["METHOD"]());
export default /file:\/\/|\bdeno\b|\/(home|root|tmp|Users|work)\b|secret-canary|guest\.ts|node_modules/i
  .test(text);
