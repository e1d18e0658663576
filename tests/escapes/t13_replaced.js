// E-T13: what a program replaces changes nothing of what readResult asks and gets
// expect: ok {"tool":{"start":1}}
// calls: 1
JSON.stringify = () => '"stolen"';
JSON.parse = () => "stolen";
Promise.prototype.then = () => "stolen";
Array.prototype.join = () => "stolen";
Object.prototype.toJSON = undefined;
export default await readResult("h", { start: 1 });
