import { describe, expect, test } from "vitest";
import { lookUp, Speculator } from "../../../../static/src/engine/speculate";

const ROWS = 4;

describe("lookUp", () => {
  test.each([
    ["one token", [5], []],
    ["nothing matches", [1, 2, 3, 4, 5, 6], []],
    ["one token matches", [1, 2, 3, 4, 2], []],
    ["at the start", [1, 2, 3, 4, 5, 1, 2], [3, 4, 5]],
    ["the latest", [1, 2, 8, 9, 1, 2, 6, 5, 1, 2], [6, 5, 1]],
    ["three before a later two", [3, 1, 2, 8, 9, 4, 1, 2, 6, 5, 3, 1, 2], [8, 9, 4]],
    ["one token repeated", [4, 4, 4, 4, 4], [4, 4, 4]],
    ["two tokens repeated", [9, 1, 2, 1, 2, 1, 2], [1, 2, 1]],
    ["what follows is the end", [1, 2, 3, 1, 2], [3, 1, 2]],
  ])("%s", (_, sequence, guesses) => {
    expect(lookUp(sequence, ROWS - 1)).toEqual(guesses);
  });
});

/** An answer whose tokens come from `token`, on steps that take so many milliseconds. */
class Answer {
  private time = 0;
  private readonly speculator = new Speculator(ROWS, () => this.time);
  private readonly sequence = Array.from({ length: 50 }, (_, index) => index);

  constructor(
    private readonly decodeMs: number,
    private readonly verifyMs: number,
  ) {
    this.speculator.begin(this.sequence);
  }

  /** So many tokens, one step after the other; how many of the steps verified. */
  tokens(count: number, token: (index: number) => number): number {
    let verified = 0;
    for (let made = 0; made < count; ) {
      const pays = this.speculator.pays();
      const guesses = pays ? lookUp(this.sequence, ROWS - 1) : [];
      this.time += pays ? this.verifyMs : this.decodeMs;
      this.speculator.arrived(pays);
      if (pays) verified += 1;
      for (let right = true; right && made < count; ) {
        const id = token(made++);
        right = guesses.shift() === id;
        this.sequence.push(id);
        this.speculator.push(this.sequence);
      }
    }
    return verified;
  }
}

const repeated = (index: number): number => index % 50;
const novel = (index: number): number => 1000 + index;

describe("Speculator", () => {
  test("text that was there before pays soon, and goes on to", () => {
    // 100 tokens in 9 single steps at most and then in fours.
    const steps = new Answer(10, 13).tokens(100, repeated);
    expect(steps).toBeGreaterThanOrEqual(23);
    expect(steps).toBeLessThanOrEqual(25);
  });

  test("new text never pays", () => {
    expect(new Answer(10, 13).tokens(100, novel)).toBe(0);
  });

  test("it stops when the text turns new, and begins again", () => {
    const answer = new Answer(10, 13);
    answer.tokens(60, repeated);
    expect(answer.tokens(100, novel)).toBeLessThan(20);
    expect(answer.tokens(100, (index) => novel(index % 50))).toBeGreaterThan(15);
  });

  test("where a verify step costs more than it can give, it is tried and given up", () => {
    const answer = new Answer(10, 80);
    expect(answer.tokens(200, repeated)).toBeGreaterThan(0);
    // Now and then it is tried again.
    const again = answer.tokens(1000, repeated);
    expect(again).toBeGreaterThan(0);
    expect(again).toBeLessThan(10);
  });

  test("a single slow step does not end it for good", () => {
    let time = 0;
    const speculator = new Speculator(ROWS, () => time);
    const sequence = Array.from({ length: 50 }, (_, index) => index);
    speculator.begin(sequence);
    for (let index = 0; index < 200; index++) {
      time += index === 100 ? 2000 : 10;
      speculator.arrived(speculator.pays());
      sequence.push(index % 50);
      speculator.push(sequence);
    }
    expect(speculator.pays()).toBe(true);
  });

  test("a slow decode step just before a repetition does not make it pay for ever", () => {
    let time = 0;
    const speculator = new Speculator(ROWS, () => time);
    const sequence = Array.from({ length: 50 }, (_, index) => 1000 + index);
    speculator.begin(sequence);
    let verified = 0;
    for (let index = 0; index < 500; index++) {
      const verifies = speculator.pays();
      if (index > 60 && verifies) verified += 1;
      // Verifying never pays here: it takes 2.5 times as long, and gives one token.
      time += index === 3 ? 3000 : verifies ? 25 : 10;
      speculator.arrived(verifies);
      sequence.push(index < 40 ? index % 4 : 5000 + index);
      speculator.push(sequence);
    }
    expect(verified).toBeLessThan(10);
  });
});
