// E-M1 S13: many buffers
// expect: guest out of memory | limit memory
const kept = [];
for (let i = 0; i < 200; i++) kept.push(new Uint8Array(20 << 20).fill(1));
export default kept.length;
