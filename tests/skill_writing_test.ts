// Skills that are written while operations fail, processes die and others write, too.

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { removeFolder } from "../src/disk.ts";
import { withLock } from "../src/lock.ts";
import type { AppError } from "../src/errors.ts";
import type { FileOperations } from "../src/read.ts";
import { draft, save, withPlace } from "./skill_store.ts";
import { fails, names, watched, watchedLock } from "./watched_disk.ts";

const FAULTS: Record<string, () => Error> = {
  ENOSPC: () => new Error("No space left on device (os error 28): write"),
  EIO: () => new Error("Input/output error (os error 5): fsync"),
  EACCES: () => new Deno.errors.PermissionDenied("Permission denied (os error 13): open"),
  EMFILE: () => new Error("Too many open files (os error 24): open"),
};

// Runs `act` with operation 1, 2, ... failing in turn, until none fails any more.
async function failInTurn(
  options: { fault: () => Error; dies: boolean },
  act: (operations: FileOperations) => Promise<boolean>,
): Promise<number> {
  for (let at = 1;; at++) {
    let reached = false;
    const operations = watched((count) => {
      if (count < at || (count > at && !options.dies)) return;
      reached = true;
      throw options.fault();
    });
    const worked = await act(operations);
    if (!reached) {
      ok(worked);
      return at - 1;
    }
  }
}

for (const [fault, make] of Object.entries(FAULTS)) {
  Deno.test(`SkillStore keeps the old skill or has the new one when any operation of save fails with ${fault} (K6)`, async () => {
    await withPlace(async (place) => {
      const steps = await failInTurn({ fault: make, dies: false }, async (operations) => {
        await place.store.save(draft("old"), { folder: `${place.folder}/notes`, force: true });
        const failing = place.over(operations);
        const work = failing.save(draft("new"), { folder: `${place.folder}/notes` });
        const worked = await work.then(() => true, (error: AppError) => {
          strictEqual(error.name, "AppError");
          return false;
        });
        const text = (await place.store.load("notes")).files.get("references/a.md");
        ok(text === "new" || (!worked && text === "old"), text);
        // Whatever could not be removed goes at the next look at the place.
        await place.store.list();
        deepStrictEqual(await names(place.folder), ["notes"]);
        return worked;
      });
      ok(steps > 30, `${steps} steps`);
    });
  });

  Deno.test(`SkillStore has no skill or the new one when any operation of a first save fails with ${fault} (K6)`, async () => {
    await withPlace(async (place) => {
      await failInTurn({ fault: make, dies: false }, async (operations) => {
        const folder = `${place.folder}/notes`;
        const failing = place.over(operations);
        const worked = await failing.save(draft("new"), { folder }).then(() => true, () => false);
        const { skills } = await place.store.list();
        if (worked) strictEqual(skills.length, 1);
        if (skills.length > 0) await place.store.load("notes");
        if (await removeFolder(folder)) deepStrictEqual(await names(place.folder), []);
        return worked;
      });
    });
  });

  Deno.test(`SkillStore keeps a skill whole or has none when any operation of remove fails with ${fault} (K6)`, async () => {
    await withPlace(async (place) => {
      await failInTurn({ fault: make, dies: false }, async (operations) => {
        const { folder } = await save(place);
        const worked = await place.over(operations).remove({ folder }).then(
          () => true,
          () => false,
        );
        const { skills } = await place.store.list();
        if (worked) deepStrictEqual(skills, []);
        if (skills.length > 0) await place.store.load("notes");
        deepStrictEqual(await names(place.folder), skills.map((skill) => skill.name));
        return worked;
      });
    });
  });
}

Deno.test("SkillStore has the old skill or the new one whenever the process dies in save (K7)", async () => {
  await withPlace(async (place) => {
    const seen = new Set<string>();
    const folder = `${place.folder}/notes`;
    await failInTurn({ fault: FAULTS["EIO"]!, dies: true }, async (operations) => {
      await place.store.save(draft("old"), { folder, force: true });
      const worked = await place.over(operations).save(draft("new"), { folder })
        .then(() => true, () => false);
      const text = (await place.store.load("notes")).files.get("references/a.md")!;
      seen.add(text);
      ok(text === "new" || (!worked && text === "old"), text);
      await place.store.list();
      deepStrictEqual(await names(place.folder), ["notes"]);
      return worked;
    });
    deepStrictEqual([...seen].sort(), ["new", "old"]);
  });
});

Deno.test("SkillStore.list repairs what a process that died in save or remove left (K7)", async () => {
  await withPlace(async (place) => {
    const folder = `${place.folder}/notes`;
    await failInTurn({ fault: FAULTS["EIO"]!, dies: true }, async (operations) => {
      await place.store.save(draft("old"), { folder, force: true });
      const worked = await place.over(operations).remove({ folder })
        .then(() => true, () => false);
      const { skills } = await place.store.list();
      if (worked) deepStrictEqual(skills, []);
      deepStrictEqual(await names(place.folder), skills.map((skill) => skill.name));
      if (skills.length > 0) await place.store.load("notes");
      return worked;
    });
  });
});

Deno.test({
  name: "SkillStore has the old skill or the new one after SIGKILL in the middle of save (K7)",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await withPlace(async (place) => {
      const folder = `${place.folder}/notes`;
      const seen = new Set<string>();
      // The renames are what matters most: before, between and behind them.
      for (
        const when of [
          "write 3",
          "rename 1",
          "rename 2",
          "rename 3",
          "rename 4",
          "remove 1",
          "sync 4",
        ]
      ) {
        await place.store.save(draft("old"), { folder, force: true });
        const child = new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", new URL("./servers/dying_save.ts", import.meta.url).href],
          env: { DIE_AT: when, FOLDER: folder },
          stdout: "null",
          stderr: "inherit",
        });
        const { signal } = await child.output();
        strictEqual(signal, when === "rename 4" ? null : "SIGKILL", when);
        await place.store.list();
        const found = await place.store.inspect("notes");
        const text = found.files.get("references/a.md")!;
        seen.add(text);
        ok(["old", "new"].includes(text));
        deepStrictEqual(await names(place.folder), ["notes"]);
      }
      deepStrictEqual([...seen].sort(), ["new", "old"]);
    });
  },
});

Deno.test("SkillStore.save looks again when another one replaces the skill while it is read (K8)", async () => {
  await withPlace(async (place) => {
    const folder = `${place.folder}/notes`;
    const { promise: back, resolve } = Promise.withResolvers<void>();
    let swapping: Promise<void> | undefined;
    await place.store.save(draft("old"), { folder });
    const disk = watched(async (count) => {
      if (count !== 4) return;
      // Between the two renames of another one's save there is no skill.
      await new Promise<void>((moved) => {
        swapping = withLock(`${place.folder}/.notes.lock`, async () => {
          await Deno.rename(folder, `${place.base}/moved`);
          moved();
          await back;
          await Deno.rename(`${place.base}/moved`, folder);
        });
      });
    });
    // It comes back once the save has found the lock held.
    await place.over(watchedLock(resolve, disk)).save(draft("new"), { folder });
    await swapping!;
    strictEqual((await place.store.load("notes")).files.get("references/a.md"), "new");
  });
});

Deno.test("SkillStore lets one of several saves win as a whole, whoever loads meanwhile (K8)", async () => {
  await withPlace(async (place) => {
    const folder = `${place.folder}/notes`;
    await place.store.save(draft("0"), { folder });
    const texts = Array.from({ length: 8 }, (_, at) => `${at + 1}`.repeat(1000));
    const loads: Promise<unknown>[] = [];
    const saves = texts.map((text) => place.store.save(draft(text), { folder }));
    for (let round = 0; round < 60; round++) {
      loads.push(
        place.store.load("notes").then(({ files }) => {
          const text = files.get("references/a.md")!;
          ok(text === "0" || texts.includes(text));
          ok(files.get("SKILL.md")!.includes(text));
        }),
      );
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all([...saves, ...loads]);
    ok(texts.includes((await place.store.load("notes")).files.get("references/a.md")!));
    deepStrictEqual(await names(place.folder), ["notes"]);
  });
});

Deno.test("SkillStore.load gives one skill as a whole whenever it is removed and saved anew (K8)", async () => {
  await withPlace(async (place) => {
    let isOver = false;
    for (let at = 1; !isOver; at++) {
      const { folder } = await save(place, "old");
      isOver = true;
      const exchanged = place.over(watched(async (count) => {
        if (count !== at) return;
        isOver = false;
        // A disk gives the numbers of what was removed to what is made next.
        await place.store.remove({ folder });
        await save(place, "new");
      }));
      const { files } = await exchanged.load("notes");
      strictEqual(files.get("references/a.md"), isOver ? "old" : "new", `step ${at}`);
      await place.store.remove({ folder });
    }
  });
});

Deno.test("SkillStore.load during remove gives the whole skill or none (K8)", async () => {
  await withPlace(async (place) => {
    for (let round = 0; round < 20; round++) {
      const { folder } = await save(place);
      const load = place.store.load("notes").then(
        ({ files }) => strictEqual(files.size, 6),
        (error: AppError) => match(error.message, /There is no skill|does not exist|Cannot read/),
      );
      await Promise.all([load, place.store.remove({ folder })]);
      deepStrictEqual(await names(place.folder), []);
    }
  });
});

Deno.test("SkillStore.save takes over the lock of a process that is gone (K9)", async () => {
  await withPlace(async (place) => {
    await Deno.mkdir(place.folder, { recursive: true });
    await Deno.writeTextFile(`${place.folder}/.notes.lock`, "");
    await save(place);
    deepStrictEqual(await names(place.folder), ["notes"]);
  });
});

Deno.test("withLock waits for a lock that is held, then ends with a timeout (K9)", async () => {
  await withPlace(async (place) => {
    await save(place);
    const lock = `${place.folder}/.notes.lock`;
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const holder = withLock(lock, () => (held.resolve(), promise));
    await held.promise;
    const error = await fails(
      withLock(lock, () => Promise.resolve(), { timeoutMs: 60 }),
      "timeout",
      /is held by another process$/,
    );
    strictEqual(error.exitCode, 4);
    const waiting = save(place, "two");
    resolve();
    await Promise.all([holder, waiting]);
    strictEqual((await place.store.load("notes")).files.get("references/a.md"), "two");
  });
});

Deno.test("SkillStore sweeps the remains of one skill and never those of another (K10)", async () => {
  await withPlace(async (place) => {
    await save(place);
    const live = ".other.0123456789abcdef.new";
    await Deno.mkdir(`${place.folder}/${live}`);
    await Deno.mkdir(`${place.folder}/.notes.0123456789abcdef.new`);
    await Deno.mkdir(`${place.folder}/notes-2`);
    await Deno.mkdir(`${place.folder}/.notes-2.0123456789abcdef.keep`);
    await save(place, "two");
    deepStrictEqual(
      await names(place.folder),
      [
        ".notes-2.0123456789abcdef.keep",
        live,
        "notes",
        "notes-2",
      ].sort(),
    );
  });
});

Deno.test("SkillStore.list ends what few processes left, and leaves the rest for the next time (K12)", async () => {
  await withPlace(async (place) => {
    await save(place);
    for (let at = 0; at < 120; at++) await Deno.writeTextFile(`${place.folder}/.s${at}.lock`, "");
    const left: number[] = [];
    for (let round = 0; round < 3; round++) {
      await place.store.list();
      left.push((await names(place.folder)).length - 1);
    }
    deepStrictEqual(left, [70, 20, 0]);
  });
});

Deno.test("SkillStore.list waits for a save that is under way and takes nothing from it (K10)", async () => {
  await withPlace(async (place) => {
    const { promise: mayGo, resolve: go } = Promise.withResolvers<void>();
    const { promise: isUnderWay, resolve: reached } = Promise.withResolvers<void>();
    const slow = place.over(watched(async (count) => {
      if (count !== 40) return;
      reached();
      await mayGo;
    }));
    const folder = `${place.folder}/notes`;
    await place.store.save(draft("old"), { folder });
    const saving = slow.save(draft("new"), { folder });
    await Promise.race([isUnderWay, saving]);
    const { promise: waits, resolve: again } = Promise.withResolvers<void>();
    const listing = place.over(watchedLock(again)).list();
    strictEqual(await Promise.race([waits.then(() => "waits"), listing]), "waits");
    go();
    await Promise.all([saving, listing]);
    strictEqual((await place.store.load("notes")).files.get("references/a.md"), "new");
    deepStrictEqual(await names(place.folder), ["notes"]);
  });
});
