/** The engine's reasons for people who do not know WebGPU's names; the device panel has both. */

const FEATURES: Record<string, string> = {
  "shader-f16": "numbers of half precision",
  subgroups: "exchange between its cores",
  simd128: "vectors",
  "relaxed-simd": "relaxed vectors",
  threads: "threads",
};

const WORDS: [RegExp, (found: RegExpMatchArray) => string][] = [
  [
    /^the graphics adapter lacks the feature (\S+)$/,
    ([, name = ""]) => lacks("graphics card", name),
  ],
  [
    /^the model needs (\w+) of \d+; this device offers/,
    () => "this graphics card is too small for the model",
  ],
];

/** The same in plain words where there are any; what is plain already stays as it is. */
export function plain(reason: string): string {
  for (const [pattern, words] of WORDS) {
    const found = reason.match(pattern);
    if (found) return words(found);
  }
  return reason;
}

function lacks(what: string, feature: string): string {
  return `this ${what} lacks ${FEATURES[feature] ?? feature}`;
}
