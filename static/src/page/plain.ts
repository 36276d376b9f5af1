/** The engine's reasons for people who do not know WebGPU's names; the device panel has both. */

const FEATURES: Record<string, string> = {
  "shader-f16": "numbers of half precision",
  subgroups: "exchange between its cores",
  simd128: "vectors (simd128)",
  "relaxed-simd": "relaxed vectors",
};

const WORDS: [RegExp, (found: RegExpMatchArray) => string][] = [
  [
    /^the graphics adapter lacks the feature (\S+)$/,
    ([, name]) => `the graphics card lacks ${feature(name)}`,
  ],
  [
    /^the model needs \w+ of \d+; this device offers/,
    () => "the graphics card is too small for this model",
  ],
  [
    /^this browser's WebAssembly lacks (\S+)$/,
    ([, name]) => `this browser's WebAssembly lacks ${feature(name)}`,
  ],
  [/^it computes wrongly here: /, () => "it gave wrong answers in a test with known results"],
  [/^the graphics device was lost: /, () => "the graphics card stopped in the middle of its work"],
  [/^the graphics device has no memory left/, () => "the graphics card ran out of memory"],
];

/** The same in plain words where there are any; what is plain already stays as it is. */
export function plain(reason: string): string {
  for (const [pattern, words] of WORDS) {
    const found = reason.match(pattern);
    if (found) return words(found);
  }
  return reason;
}

function feature(name = ""): string {
  return FEATURES[name] ?? name;
}
