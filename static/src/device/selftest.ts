/** Known answers: a few kernels run on made-up input before anything large is fetched. */

import type { Backend } from "../backends/backend";
import { WebkilnError } from "../engine/api";
import type { Plan, SelfTest, TestInput } from "../plan";

/** The PCG hash of Jarzynski and Olano, on u32. */
export function pcgHash(value: number): number {
  const state = (Math.imul(value, 747796405) + 2891336453) >>> 0;
  const word = Math.imul((state >>> ((state >>> 28) + 4)) ^ state, 277803737) >>> 0;
  return ((word >>> 22) ^ word) >>> 0;
}

/** The binding's content, as plan.ts describes it. */
export function testWords(input: TestInput): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(input.bytes / 4);
  for (let index = input.words.length; index < words.length; index++) {
    words[index] = (pcgHash(index ^ input.seed) & input.keep) | input.fixed;
  }
  words.set(input.words);
  return words;
}

export interface Deviation {
  /** Which of the expected numbers is worst, what it should be and what it is. */
  index: number;
  expected: number;
  got: number;
}

/** The number furthest out of its tolerance; null when all are within. */
export function worstDeviation(
  test: Pick<SelfTest, "expected" | "stride" | "tolerance">,
  found: Float32Array,
): Deviation | null {
  let worst: Deviation | null = null;
  let most = 1; // in tolerances
  test.expected.forEach((expected, index) => {
    const got = found[index * test.stride] ?? Number.NaN;
    const error = Math.abs(got - expected) / (test.tolerance * Math.max(1, Math.abs(expected)));
    // 0 / 0 is an exact answer where none but the exact one will do; other NaN are wrong.
    const deviation = got === expected ? 0 : Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
    if (deviation <= most) return;
    most = deviation;
    worst = { index, expected, got };
  });
  return worst;
}

/** Throws `wrong-answer` at the first kernel that does not give its known answer. */
export async function selfTest(
  backend: Pick<Backend, "probe">,
  plan: Plan,
  tests: SelfTest[],
): Promise<void> {
  for (const test of tests) {
    const contents = test.inputs.map(testWords);
    const words = await backend.probe(test.kernel, test.grid, contents, test.output);
    const wrong = worstDeviation(
      test,
      new Float32Array(words.buffer, words.byteOffset, words.length),
    );
    if (wrong !== null) throw wrongAnswer(plan.kernels[test.kernel]?.name ?? "", wrong);
  }
}

function wrongAnswer(kernel: string, { index, expected, got }: Deviation): WebkilnError {
  return new WebkilnError(
    "wrong-answer",
    `it computes wrongly here: in the self-test, kernel ${kernel} gave ${got} where ${expected} ` +
      `is right (number ${index})`,
    "Update the browser and the graphics driver, or choose another variant.",
  );
}
