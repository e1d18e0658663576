// Which contents of skills somebody accepted, kept outside of their folders: who can rewrite a skill
// and its checksum cannot write here.

import type { Database } from "./database.ts";
import type { Digest } from "./hash.ts";
import { MAX_ACCEPTED_ROOTS } from "./limits.ts";
import type { SkillName } from "./names.ts";

/** The index of accepted roots. */
export interface SkillRoots {
  /** Whether exactly this content was accepted. */
  has(root: Digest): boolean;
  /** Remembers a content as accepted; the oldest ones leave when there are too many. */
  accept(root: Digest, skill: SkillName): void;
}

/** The index in `database`; `now` gives milliseconds since 1970. */
export function createSkillRoots(
  database: Pick<Database, "get" | "run" | "transaction">,
  { now }: { readonly now: () => number },
): SkillRoots {
  return {
    has: (root) => database.get("select 1 from skill_roots where root = ?", root) !== undefined,
    accept(root, skill) {
      database.transaction(() => {
        database.run(
          `insert into skill_roots (root, skill, accepted) values (?, ?, ?)
           on conflict (root) do update set accepted = max(accepted, excluded.accepted)`,
          root,
          skill,
          now(),
        );
        const { count } = database.get<{ count: number }>(
          "select count(*) as count from skill_roots",
        )!;
        if (count <= MAX_ACCEPTED_ROOTS) return;
        database.run(
          `delete from skill_roots where root in (
             select root from skill_roots order by accepted limit ?)`,
          count - MAX_ACCEPTED_ROOTS,
        );
      });
    },
  };
}
