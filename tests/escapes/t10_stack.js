// E-T10 S27: stacks show no host
// expect: ok false
const texts = [new Error().stack, JSON.stringify(import.meta)];
Error.prepareStackTrace = (_, frames) => frames.map(String).join();
texts.push(String(new Error().stack));
Error.captureStackTrace?.(texts);
try {
  await callTool(1);
} catch (error) {
  texts.push(error.stack);
}
try {
  await import("node:fs");
} catch (error) {
  texts.push(error.stack + error.message);
}
export default /file:|\/src\/|guest\.ts|engine\.ts/.test(texts.join());
