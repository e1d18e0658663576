// E-T6 V1 V2 V7: reading METHOD
// expect: ok "refused"
// each: /etc/passwd ../../etc/passwd /ok/../../x //etc//passwd /./etc/passwd %2e%2e/x /ok%5c..%5cx C:%5cWindows %5c%5chost%5cshare /proc/self/environ file:///etc/passwd /ok%00 /ok%0a /dev/zero ~/.ssh/id_rsa $HOME/x /ok/ /ok/x/.. %e2%80%8b/ok
// files: {"/ok/x":"hello"}
const path = decodeURIComponent("METHOD");
export default await readFile(path).then(() => "read", () => "refused");
