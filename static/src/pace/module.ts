/**
 * A WebAssembly module of one function, written by hand: it goes over memory as a product of one
 * token with 4-bit weights does, and computes as much for each 16 bytes of codes.
 *
 * `read(begin, end) -> f32` takes the vectors of 16 bytes from begin to end, four at a time, and as
 * many in RUNS - 1 more places. The first OPERANDS bytes stand for the numbers that the codes are
 * multiplied with. As in
 * compiler/kernels/cpu, codes are multiplied as bytes where there is relaxed SIMD (`digits.py`),
 * and as floats where there is not.
 */

/** Bytes at the start of memory that every step reads; they stay in the first-level cache. */
export const OPERANDS = 128;

const [I32, F32, V128] = [0x7f, 0x7d, 0x7b];
/**
 * Runs through memory side by side, so many bytes apart: a processor fetches them all ahead. What
 * is apart by a power of two would share a set of its first-level cache.
 */
export const RUNS = 8;
export const APART = (1 << 17) + 192;
/** What one call of `read(begin, begin + APART)` reads, and where the next may begin. */
export const SPAN = RUNS * APART;

/** Vectors that meet the same operands, as neighbouring rows do. */
const ROWS = 4;
// Parameters and locals: the operands, which all rows share, then each row's sum.
const [BEGIN, END, AT, WORD, FIRST, SUMS] = [0, 1, 2, 3, 4, 12];

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const i32 = (value: number): number[] => [0x41, value]; // below 64
const constant = (value: number): number[] => [0x41, ...signed(value)];
const simd = (...code: number[]): number[] => [0xfd, ...code];

const [LOOP, AGAIN, DONE] = [[0x03, 0x40], [0x0d, 0], 0x0b];
const [PLUS, BELOW] = [0x6a, 0x49]; // i32.add, i32.lt_u
const ADD_F32 = simd(0xe4, 0x01);
const MULTIPLY_F32 = simd(0xe6, 0x01);
const AND = simd(0x4e);
const SHIFT_LEFT = simd(0xab, 0x01);
const SHIFT_RIGHT = simd(0xad, 0x01);
const TO_F32 = simd(0xfa, 0x01); // of i32x4
const DOT = simd(0x93, 0x02); // i32x4.relaxed_dot_i8x16_i7x16_add_s
const NIBBLES = simd(0x0c, ...new Array<number>(16).fill(0x0f));
const LOWEST = simd(0x0c, ...[0, 1, 2, 3].flatMap(() => [0x0f, 0, 0, 0]));
const ZERO = simd(0x0c, ...new Array<number>(16).fill(0));

const load = (from: number[], offset: number): number[] => [...from, ...simd(0, 4, offset)];
const operand = (index: number): number[] => get(FIRST + index);

/** Eight times (word >> 4 k & 15) as floats times an operand, added up as a tree. */
function floats(): number[] {
  const product = (k: number): number[] => [
    ...[...get(WORD), ...i32(4 * k), ...SHIFT_RIGHT, ...LOWEST, ...AND, ...TO_F32],
    ...[...operand(k), ...MULTIPLY_F32],
  ];
  const total = (first: number, count: number): number[] =>
    count === 1
      ? product(first)
      : [...total(first, count / 2), ...total(first + count / 2, count / 2), ...ADD_F32];
  return total(0, 8);
}

/** Three digits of the operands times low and high nibbles: dot products of bytes. */
function digits(): number[] {
  const low = [...get(WORD), ...NIBBLES, ...AND];
  const high = [...get(WORD), ...i32(4), ...SHIFT_RIGHT, ...NIBBLES, ...AND];
  const onto = (total: number[], digit: number): number[] => [
    ...[...operand(2 * digit + 1), ...high],
    ...[...operand(2 * digit), ...low, ...total, ...DOT],
    ...DOT,
  ];
  const shifted = (total: number[]): number[] => [...total, ...i32(8), ...SHIFT_LEFT];
  return [...onto(shifted(onto(shifted(onto(ZERO, 0)), 1)), 2), ...TO_F32];
}

function body(vector: number[]): number[] {
  const rows = [0, 1, 2, 3].map((row) => [
    ...[...load(get(AT), 16 * row), ...set(WORD)],
    ...[...get(SUMS + row), ...vector, ...operand(0), ...MULTIPLY_F32, ...ADD_F32],
    ...set(SUMS + row),
  ]);
  const operands = [0, 1, 2, 3, 4, 5, 6, 7].map((index) => [
    ...load(i32(0), 16 * index),
    ...set(FIRST + index),
  ]);
  return [
    ...[2, 1, I32, 1 + 8 + ROWS, V128], // locals
    ...[...LOOP, ...get(BEGIN), ...set(AT)],
    ...[...LOOP, ...operands.flat(), ...rows.flat(), ...advance(AT, APART)],
    ...[...get(AT), ...get(BEGIN), ...constant(RUNS * APART), PLUS, BELOW, ...AGAIN, DONE],
    ...[...advance(BEGIN, 16 * ROWS), ...get(BEGIN), ...get(END), BELOW, ...AGAIN, DONE],
    ...[...get(SUMS), ...get(SUMS + 1), ...ADD_F32, ...get(SUMS + 2), ...ADD_F32],
    ...[...get(SUMS + 3), ...ADD_F32, ...simd(0x1f, 0), DONE], // lane 0
  ];
}

/** The module; it imports its memory as `env.memory`. */
export function readerModule(relaxed: boolean): Uint8Array<ArrayBuffer> {
  const code = body(relaxed ? digits() : floats());
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 2, I32, I32, 1, F32]),
    ...section(2, [1, ...text("env"), ...text("memory"), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...text("read"), 0, 0]),
    ...section(10, [1, ...leb(code.length), ...code]),
  ]);
}

function advance(local: number, bytes: number): number[] {
  return [...get(local), ...constant(bytes), PLUS, ...set(local)];
}

/** A number from 0 up as signed LEB128. */
function signed(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}

function section(id: number, content: number[]): number[] {
  return [id, ...leb(content.length), ...content];
}

/** An unsigned number below 2^14 as LEB128. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, value >> 7];
}

function text(value: string): number[] {
  return [value.length, ...new TextEncoder().encode(value)];
}
