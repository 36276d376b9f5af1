import { expect, test } from "vitest";
import { type Dispatch, encode } from "../../../../static/src/backends/webgpu-steps";

const dispatch = (grid: Dispatch["grid"], rowsAxis: number | null): Dispatch => ({
  pipeline: {} as GPUComputePipeline,
  group: {} as GPUBindGroup,
  grid,
  rowsAxis,
  rows: 128,
});

/** The workgroups of each dispatch of a run over `tokens` tokens. */
function launched(dispatches: Dispatch[], tokens: number): number[][] {
  const seen: number[][] = [];
  const pass = {
    setPipeline: () => {},
    setBindGroup: () => {},
    dispatchWorkgroups: (...grid: number[]) => seen.push(grid),
  };
  encode(pass as unknown as GPUComputePassEncoder, dispatches, tokens);
  return seen;
}

test("a run launches the workgroups its tokens need, and all where tokens are on no axis", () => {
  // A workgroup per 16 tokens, one per token and head of nine, one for everything.
  const steps = [dispatch([5, 8, 1], 1), dispatch([9 * 128, 1, 1], 0), dispatch([7, 3, 2], null)];
  const sizes = (tokens: number): number[][] => launched(steps, tokens);
  expect(sizes(128)).toEqual([
    [5, 8, 1],
    [1152, 1, 1],
    [7, 3, 2],
  ]);
  expect(sizes(17)).toEqual([
    [5, 2, 1],
    [153, 1, 1],
    [7, 3, 2],
  ]);
  expect(sizes(1)).toEqual([
    [5, 1, 1],
    [9, 1, 1],
    [7, 3, 2],
  ]);
});
