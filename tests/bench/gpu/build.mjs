// `node tests/bench/gpu/build.mjs BUNDLE...` makes build/bench-gpu/, all that `make bench-gpu` needs:
// the program, Dawn for this platform, and of each bundle the manifest, the plans and the kernels.
// The folder may be copied to another machine of the same platform.
import { cp, mkdir, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../../..");
const kit = join(root, "build/bench-gpu");

async function bundleProgram() {
  const esbuild = createRequire(join(root, "static/build.mjs"))("esbuild");
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: [join(here, "bench.ts")],
    outfile: join(kit, "bench.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["webgpu"],
    tsconfig: join(root, "static/tsconfig.json"),
    legalComments: "none",
    logLevel: "warning",
  });
}

async function copyDawn() {
  const platform =
    process.platform === "darwin" ? "darwin-universal" : `${process.platform}-${process.arch}`;
  const [from, to] = [join(here, "node_modules/webgpu"), join(kit, "node_modules/webgpu")];
  await rm(to, { recursive: true, force: true });
  for (const name of ["package.json", "index.js", "LICENSE.md", `dist/${platform}`]) {
    await cp(join(from, name), join(to, name), { recursive: true });
  }
}

async function copyBundle(folder) {
  const manifest = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8"));
  const to = join(kit, "models", basename(folder));
  await rm(to, { recursive: true, force: true });
  const variants = Object.values(manifest.variants).filter(({ backend }) => backend === "webgpu");
  const programs = variants.flatMap((one) => [one, ...Object.values(one.tuned)]);
  const files = new Set(programs.flatMap(({ plan, kernels }) => [plan, kernels]));
  for (const name of ["manifest.json", ...files]) await cp(join(folder, name), join(to, name));
}

await mkdir(kit, { recursive: true });
await bundleProgram();
await copyDawn();
for (const folder of process.argv.slice(2)) await copyBundle(folder);
