import { describe, expect, test } from "vitest";
import {
  manifestAddress,
  parseManifest,
  parsePlan,
  variantFor,
} from "../../../../static/src/load/manifest";
import { FORMAT, type Manifest, type SelfTest, type Variant } from "../../../../static/src/plan";
import { bytesOf, HASH, manifest, plan } from "../bundle";

/** A copy with `value` at `path` ("~" is a slash inside a key); undefined deletes the key. */
function changed<T extends object>(source: T, path: string, value: unknown): object {
  const copy = structuredClone(source);
  const keys = path.split("/").map((key) => key.replace("~", "/"));
  const last = keys.pop() as string;
  let target = copy as Record<string, unknown>;
  for (const key of keys) target = target[key] as Record<string, unknown>;
  if (value === undefined) delete target[last];
  else target[last] = value;
  return copy;
}

test("a valid manifest and plan are read as they are", () => {
  expect(parseManifest(bytesOf(manifest()))).toEqual(manifest());
  expect(parsePlan(bytesOf(plan()), "p.json", manifest())).toEqual(plan());
});

test.each([
  [FORMAT + 1, /newer than the/, /Update the site/],
  [0, /older than the/, /Compile the model again/],
])("format %d is refused with what to do", (format, message, hint) => {
  const read = () => parseManifest(bytesOf({ format, other: "keys" }));
  expect(read).toThrow(message);
  expect(read).toThrow(
    expect.objectContaining({ code: "unsupported-format", hint: expect.stringMatching(hint) }),
  );
});

describe("a manifest is refused, its key named", () => {
  test.each([
    ["surprise", 1, /surprise: expected no such key/],
    ["name", undefined, /name: expected a string, found missing/],
    ["vocabulary", -1, /vocabulary: expected a whole number/],
    ["variants/f32/backend", "metal", /variants\.f32\.backend: expected one of webgpu, wasm/],
    ["tensors/w/shards/0/offset", 5, /tensors\.w: its span of weights\/1\.bin does not exist/],
    ["tensors/w/bytes", 44, /spans hold 40 of 44/],
    ["files/plans~p.json", undefined, /plans\/p\.json is not among files/],
    ["files/..~secret.json", { bytes: 1, sha256: "0" }, /no name of a bundle's file/],
    ["files/weights~1.bin/sha256", "xyz", /bad sha256/],
  ])("%s = %j", (path, value, message) => {
    const read = () => parseManifest(bytesOf(changed(manifest(), path, value)));
    expect(read).toThrow(message);
    expect(read).toThrow(expect.objectContaining({ code: "bad-bundle" }));
  });
});

test.each([
  "../secret.json",
  "weights/../x.bin",
  "/weights/x.bin",
  "https://x.org/weights/x.bin",
  "weights/a/b.bin",
  "kernels/x.js",
  "tokenizer/x.svg",
  "weights/x.bin\n",
  "plans/é.json",
])("%s is no name of a bundle's file", (name) => {
  const made = manifest();
  made.files[name] = { bytes: 1, sha256: HASH };
  expect(() => parseManifest(bytesOf(made))).toThrow(/no name of a bundle's file/);
});

describe("tuned kernels", () => {
  const tuned = { plan: "plans/t.json", kernels: "kernels/t.wgsl", selftest: [] };
  const tunedFor = (vendor: string): Manifest => {
    const made = manifest();
    made.variants.f32 = { ...(made.variants.f32 as Variant), tuned: { [vendor]: tuned } };
    return made;
  };

  test("are taken on adapters of their vendor alone", () => {
    const made = tunedFor("acme");
    expect(variantFor(made, "f32", "acme")).toMatchObject(tuned);
    expect(variantFor(made, "f32", "acme").requires).toEqual(made.variants.f32?.requires);
    for (const vendor of ["other", "", undefined]) {
      expect(variantFor(made, "f32", vendor).plan).toBe("plans/p.json");
    }
    expect(variantFor(tunedFor(""), "f32", "").plan).toBe("plans/p.json");
  });

  test("must be among the files", () => {
    expect(() => parseManifest(bytesOf(tunedFor("acme")))).toThrow(
      "plans/t.json is not among files",
    );
  });
});

describe("a plan is refused where it leads nowhere", () => {
  test.each([
    ["functions/decode/steps/0/kernel", 7, /decode: step 0/],
    ["functions/decode/steps/0/bindings/0/buffer", 9, /decode: step 0/],
    ["functions/decode/steps/0/bindings", [], /decode: step 0/],
    ["functions/decode/steps/0/rows_axis", 3, /decode: step 0/],
    ["functions/decode/rows", 2, /decode works on 2 tokens/],
    ["functions/prefill_4/rows", 0, /prefill_4 works on 0 tokens/],
    [
      "functions/verify_4",
      { rows: 16, outputs: {}, steps: [] },
      /verify_4 works on 16 tokens; 2 to 15/,
    ],
    ["functions/decode/outputs", { logits: 9 }, /decode: no output logits/],
    ["buffers/0/bytes", 44, /weight w does not match/],
    ["buffers/1/name", "controls", /state buffer control is missing/],
    ["functions/prefill_4", undefined, /prefill_<N> is missing/],
    ["kernels/0/access/0", "write", /kernels\.0\.access\.0/],
  ])("%s = %j", (path, value, message) => {
    const read = () => parsePlan(bytesOf(changed(plan(), path, value)), "p.json", manifest());
    expect(read).toThrow(message);
    expect(read).toThrow(expect.objectContaining({ code: "bad-bundle" }));
  });
});

test("a recurrent plan has nothing that verifies guesses", () => {
  const verify = { rows: 2, outputs: {}, steps: [] };
  const made = changed(changed(plan(), "functions/verify_2", verify), "recurrent", true);
  const read = () => parsePlan(bytesOf(made), "p.json", manifest());
  expect(read).toThrow("a recurrent model cannot take back guesses");
});

describe("a self-test is refused that does not fit its kernel", () => {
  const input = { bytes: 16, seed: 1, keep: 0, fixed: 0, words: [1, 2] };
  const fitting: SelfTest = {
    kernel: 0,
    grid: [1, 1, 1],
    inputs: [input],
    output: 0,
    stride: 3,
    expected: [1, 2],
    tolerance: 0,
  };
  const read = (test: SelfTest) => {
    const source = manifest();
    for (const variant of Object.values(source.variants)) variant.selftest = [test];
    return parsePlan(bytesOf(plan()), "plans/p.json", source);
  };

  test("of tuned kernels too", () => {
    const source = manifest();
    const tuned = { plan: "plans/t.json", kernels: "kernels/t.wgsl", selftest: [fitting] };
    source.variants.f32 = { ...(source.variants.f32 as Variant), tuned: { acme: tuned } };
    expect(parsePlan(bytesOf(plan()), "plans/t.json", source)).toEqual(plan());
    tuned.selftest = [{ ...fitting, kernel: 1 }];
    const again = () => parsePlan(bytesOf(plan()), "plans/t.json", source);
    expect(again).toThrow(/self-test 0 does not fit/);
  });

  test("one that fits is accepted", () => {
    expect(read(fitting)).toEqual(plan());
  });

  test.each<Partial<SelfTest>>([
    { kernel: 1 },
    { inputs: [] },
    { output: 1 },
    { grid: [1] },
    { stride: 4 },
    { inputs: [{ ...input, bytes: 18 }] },
    { inputs: [{ ...input, words: [1, 2, 3, 4, 5] }] },
  ])("%j", (change) => {
    expect(() => read({ ...fitting, ...change })).toThrow(/self-test 0 does not fit/);
  });
});

test("what is not JSON is no manifest", () => {
  expect(() => parseManifest(new TextEncoder().encode("<!doctype html>"))).toThrow(/not JSON/);
});

test.each([
  ["/models/a/", "https://x.org/models/a/manifest.json"],
  ["/models/a", "https://x.org/models/a/manifest.json"],
  ["b/manifest.json", "https://x.org/page/b/manifest.json"],
  ["https://y.org/c?v=1", "https://y.org/c/manifest.json?v=1"],
])("the manifest of %s", (model, address) => {
  expect(manifestAddress(model, "https://x.org/page/")).toBe(address);
});
