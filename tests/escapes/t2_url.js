// E-T2: lists that JSON writes as METHOD, while a URL is read
// expect: ok "Invalid URL: http://x/"
// each: null undefined 5 {}
Array.prototype.toJSON = () => METHOD;
let message = "";
try {
  new URL("http://x/");
} catch (error) {
  message = error.message;
}
export default message;
