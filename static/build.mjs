// Builds dist/, the browser's part of a site:
//   assets/<version>/  the page, the engine, its workers; <version> is a hash of all of them, so
//                      that files of two builds never mix and each may be cached for ever
//   engine.js          that engine under a name which stays, for other people's pages
//   sw.js              the service worker, whose name has to stay too
//   sw-remove.js       what takes it away again, served in its place (docs/offline.md)
//   ...                what lies in public/, as it is
//   app.json           {version, files, preload}: every other file with its size and SHA-256;
//                      the pieces of page.js and engine.js that a browser should ask for at once
// `node build.mjs --watch` rebuilds whatever changed.
import { createHash } from "node:crypto";
import { existsSync, watch } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const root = fileURLToPath(new URL(".", import.meta.url));
const dist = join(root, "dist");
const publicFiles = join(root, "public");

const options = {
  absWorkingDir: root,
  outdir: dist,
  write: false,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  // The page's own files (fonts, pictures) are served beside page.css, not inlined.
  external: ["./engine.js", "/engine.js"],
  metafile: true,
  legalComments: "none",
  logLevel: "warning",
};

/** Cut where they import on demand; what the page's end and the workers share is sent once. */
const engine = {
  engine: "src/engine/index.ts",
  worker: "src/engine/worker.ts",
  thread: "src/backends/thread.ts",
  pace: "src/pace/worker.ts",
};
/** Built apart, because it imports the engine as any page of the site does. */
const page = { page: "src/page/main.ts" };
/** Runs before the first paint, so it is no module. */
const early = { wait: "src/page/wait.ts" };
const style = { page: "src/page/page.css" };
const serviceWorker = { sw: "src/sw/sw.ts", "sw-remove": "src/sw/remove.ts" };

/** Pieces are named by their content; the page tells the engine's by how their names begin. */
const cut = (beginning = "") => ({ splitting: true, chunkNames: `${beginning}[name]-[hash]` });

/** The output files of some entries: [name, bytes]. */
async function bundled(entries, more = {}) {
  const entryPoints = Object.entries(entries)
    .filter(([, source]) => existsSync(join(root, source)))
    .map(([name, source]) => ({ in: source, out: name }));
  if (entryPoints.length === 0) return [];
  const { outputFiles, metafile } = await esbuild.build({ ...options, ...more, entryPoints });
  return outputFiles.map(({ path, contents }) => [
    relative(dist, path),
    contents,
    metafile.outputs[relative(root, path)].imports,
  ]);
}

async function build() {
  const groups = await Promise.all([
    bundled(engine, cut("engine-")),
    bundled(page, cut()),
    bundled(early, { format: "iife" }),
    bundled(style),
  ]);
  const assets = groups.flat().sort(([a], [b]) => (a < b ? -1 : 1));
  const version = sha256(...assets.map(([name, bytes]) => name + sha256(bytes))).slice(0, 12);
  const files = new Map(assets.map(([name, bytes]) => [`assets/${version}/${name}`, bytes]));
  files.set("engine.js", Buffer.from(`export * from "./assets/${version}/engine.js";\n`));
  for (const [name, bytes] of await bundled(serviceWorker, { format: "iife" })) {
    files.set(name, bytes);
  }
  for (const [name, bytes] of await asTheyAre()) files.set(name, bytes);
  const pieces = ["engine.js", "page.js"].flatMap((name) => atOnce(assets, name));
  const preload = pieces.map((name) => `assets/${version}/${name}`);
  const list = { ...listed(version, files), preload };
  files.set("app.json", Buffer.from(JSON.stringify(list, null, 1)));
  await store(files);
  await forgetOthers(version);
  printSizes(files);
}

/** The files of public/: [name, bytes]. */
async function asTheyAre() {
  const found = await readdir(publicFiles, { recursive: true, withFileTypes: true });
  const paths = found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    paths.sort().map(async (path) => [relative(publicFiles, path), await readFile(path)]),
  );
}

/** The pieces that a script imports before it does anything, and they in turn. */
function atOnce(assets, name, found = []) {
  const [, , imports = []] = assets.find(([each]) => each === name) ?? [];
  for (const { path, kind, external } of imports) {
    const piece = basename(path);
    if (kind !== "import-statement" || external || found.includes(piece)) continue;
    found.push(piece);
    atOnce(assets, piece, found);
  }
  return found;
}

/** What app.json says. */
function listed(version, files) {
  const entry = (bytes) => ({ bytes: bytes.length, sha256: sha256(bytes) });
  return {
    version,
    files: Object.fromEntries([...files].map(([name, bytes]) => [name, entry(bytes)])),
  };
}

/** app.json comes last: until it is there, the build before is the one that counts. */
async function store(files) {
  for (const [name, bytes] of files) {
    const path = join(dist, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }
}

async function forgetOthers(version) {
  for (const name of await readdir(join(dist, "assets"))) {
    if (name !== version) await rm(join(dist, "assets", name), { recursive: true });
  }
}

/** What each file weighs on the wire. */
function printSizes(files) {
  const row = (name, size) => `${name.padEnd(32)} ${(size / 1000).toFixed(1).padStart(7)} kB gz`;
  let total = 0;
  for (const [name, bytes] of files) {
    const size = gzipSync(bytes, { level: 9 }).length;
    total += size;
    console.log(row(name, size));
  }
  console.log(row("total", total));
}

function sha256(...parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

await build();
if (process.argv.includes("--watch")) {
  let running = Promise.resolve();
  for (const folder of [join(root, "src"), publicFiles]) {
    watch(folder, { recursive: true }, () => {
      running = running.then(build).catch((error) => console.error(error.message));
    });
  }
}
