import assert from "node:assert/strict";
import { type LockedPackage, thirdPartyNotices } from "../scripts/sbom.ts";

Deno.test("thirdPartyNotices refuses a package whose licence stands nowhere", () => {
  const packageOf = (name: string, more: Partial<LockedPackage>): [string, LockedPackage] => [
    `${name}@1.0.0`,
    { name, version: "1.0.0", sha512: "", dependencies: [], isShipped: true, ...more },
  ];
  const notices = (...items: [string, LockedPackage][]) =>
    thirdPartyNotices(new Map(items), { deno: "2.9.6" });
  const whole = packageOf("a", { license: "ISC", notice: "Copyright of A" });
  const bare = packageOf("b", { license: "ISC" });
  assert.match(notices(whole, bare), /\n\nb 1\.0\.0\n\nLicence: ISC, .* with a 1\.0\.0\n$/);
  assert.throws(() => notices(bare), /^Error: Package "b" has no text of its licence$/);
  assert.throws(() => notices(whole, packageOf("c", {})), /"c"/);
  assert.doesNotMatch(notices(whole, packageOf("d", { isShipped: false })), /^d /m);
});
