import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// The tests live beside the Python ones, outside this folder, so their imports of packages have to
// be pointed back here.
export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  resolve: {
    alias: {
      "@huggingface": fileURLToPath(new URL("./node_modules/@huggingface", import.meta.url)),
      vitest: fileURLToPath(new URL("./node_modules/vitest", import.meta.url)),
    },
  },
  test: {
    include: ["tests/unit/static/**/*.test.ts"],
    environment: "node",
    // One process for many files takes half the time of one each; fresh.ts keeps them apart.
    pool: "threads",
    isolate: false,
    setupFiles: ["tests/unit/static/fresh.ts"],
  },
});
