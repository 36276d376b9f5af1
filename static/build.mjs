// Builds dist/: engine.js (the public module), worker.js and thread.js (where models run), and the
// chat page's page.js and page.css.
// `node build.mjs --watch` rebuilds whatever changed.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const root = fileURLToPath(new URL(".", import.meta.url));

const entries = {
  engine: "src/engine/index.ts",
  worker: "src/engine/worker.ts",
  thread: "src/backends/thread.ts",
  page: "src/page/main.ts",
  "page-style": "src/page/page.css",
};

/** Prints what each file weighs on the wire, after every build. */
const sizes = {
  name: "sizes",
  setup(build) {
    build.onEnd(async (result) => {
      let total = 0;
      for (const path of Object.keys(result.metafile?.outputs ?? {}).sort()) {
        const gzip = gzipSync(await readFile(root + path), { level: 9 }).length;
        total += gzip;
        console.log(`${basename(path).padEnd(12)} ${(gzip / 1000).toFixed(1).padStart(7)} kB gz`);
      }
      console.log(`${"total".padEnd(12)} ${(total / 1000).toFixed(1).padStart(7)} kB gz`);
    });
  },
};

const options = {
  absWorkingDir: root,
  entryPoints: Object.entries(entries)
    .filter(([, source]) => existsSync(root + source))
    .map(([name, source]) => ({ in: source, out: name === "page-style" ? "page" : name })),
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  // The page's own files (fonts, pictures) are served beside page.css, not inlined.
  external: ["./engine.js", "/engine.js"],
  metafile: true,
  legalComments: "none",
  logLevel: "warning",
  plugins: [sizes],
};

if (process.argv.includes("--watch")) {
  const context = await esbuild.context(options);
  await context.watch();
} else {
  await esbuild.build(options);
}
