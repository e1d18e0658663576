// What is known of skills outside of their folders: which contents somebody accepted, and which
// folders were written where `--output` said. Who can rewrite a skill and its checksum cannot write
// here.

import type { Database } from "./database.ts";
import type { Digest } from "./hash.ts";
import { MAX_ACCEPTED_ROOTS, MAX_NOTED_FOLDERS } from "./limits.ts";
import type { SkillName } from "./names.ts";

/** The index of accepted roots. */
export interface SkillRoots {
  /** Whether exactly this content was accepted. */
  has(root: Digest): boolean;
  /** Remembers a content as accepted; the oldest ones leave when there are too many. */
  accept(root: Digest, skill: SkillName): void;
  /** Real paths of skills that stand in none of the usual places, the last written first. */
  folders(): string[];
  /** Remembers such a path; the oldest ones leave when there are too many. */
  note(folder: string): void;
  /** Forgets one that is gone. */
  forget(folder: string): void;
}

/** The index in `database`; `now` gives milliseconds since 1970. */
export function createSkillRoots(
  database: Pick<Database, "all" | "get" | "run" | "transaction">,
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
    folders: () =>
      database.all<{ folder: string }>(
        "select folder from skill_folders order by noted desc, folder",
      )
        .map((row) => row.folder),
    note(folder) {
      database.run(
        `insert into skill_folders (folder, noted) values (?, ?)
         on conflict (folder) do update set noted = excluded.noted`,
        folder,
        now(),
      );
      database.run(
        `delete from skill_folders where folder in (
           select folder from skill_folders order by noted desc limit -1 offset ?)`,
        MAX_NOTED_FOLDERS,
      );
    },
    forget: (folder) => void database.run("delete from skill_folders where folder = ?", folder),
  };
}
