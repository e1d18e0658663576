// E-T6 V7: writing where nothing may be written
// expect: ok ["TypeError","TypeError"]
// calls: 0
// files: {"/ok/x":"hello"}
const name = (error) => error.name;
export default [await writeFile("/ok/x").catch(name), await writeFile(1, "x").catch(name)];
