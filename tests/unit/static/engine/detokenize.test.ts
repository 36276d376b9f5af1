import { describe, expect, test } from "vitest";
import { Detokenizer, StopFilter } from "../../../../static/src/engine/detokenize";

/** A tokenizer whose ids are bytes of UTF-8. */
const byteDecoder = {
  decode: (ids: number[]) => new TextDecoder().decode(Uint8Array.from(ids)),
};

/** Like SentencePiece: words carry their leading space, which a sequence's first word loses. */
const wordDecoder = {
  decode: (ids: number[]) =>
    ids
      .map((id) => ` w${id}`)
      .join("")
      .replace(/^ /, ""),
};

describe("Detokenizer", () => {
  test("holds a character back until its last byte", () => {
    const detokenizer = new Detokenizer(byteDecoder);
    const bytes = [...new TextEncoder().encode("aé🌍!")];
    expect(bytes.map((byte) => detokenizer.push(byte))).toEqual([
      "a",
      "",
      "é",
      "",
      "",
      "",
      "🌍",
      "!",
    ]);
    expect(detokenizer.flush()).toBe("");
  });

  test("an unfinished character comes out at the end", () => {
    const detokenizer = new Detokenizer(byteDecoder);
    expect(detokenizer.push(0x61) + detokenizer.push(0xc3)).toBe("a");
    expect(detokenizer.flush()).toBe("\ufffd");
  });

  test("broken bytes do not hold up the text after them", () => {
    const detokenizer = new Detokenizer(byteDecoder);
    expect([0xff, 0x62, 0x63].map((byte) => detokenizer.push(byte)).join("")).toBe("\ufffdbc");
  });

  test("keeps spaces between words and drops the first", () => {
    const detokenizer = new Detokenizer(wordDecoder);
    expect([1, 2, 3].map((id) => detokenizer.push(id))).toEqual(["w1", " w2", " w3"]);
  });
});

describe("StopFilter", () => {
  function filter(stops: string[], pieces: string[]): [string[], boolean] {
    const stop = new StopFilter(stops);
    const out = pieces.map((piece) => stop.push(piece));
    return [[...out, stop.flush()], stop.stopped];
  }

  test("passes everything where nothing matches", () => {
    expect(filter(["END"], ["abc", "def"])).toEqual([["abc", "def", ""], false]);
    expect(filter([], ["abc"])).toEqual([["abc", ""], false]);
  });

  test("a stop string across pieces is never shown", () => {
    expect(filter(["END"], ["abE", "N", "Dxyz", "more"])).toEqual([["ab", "", "", "", ""], true]);
  });

  test("what only looked like a stop string is released", () => {
    expect(filter(["END"], ["aEN", "d"])).toEqual([["a", "ENd", ""], false]);
    expect(filter(["END"], ["aEN"])).toEqual([["a", "EN"], false]);
  });

  test("a start inside a failed start is still found", () => {
    expect(filter(["aab"], ["a", "a", "a", "b", "c"])).toEqual([["", "", "a", "", "", ""], true]);
  });

  test("the earliest of several wins", () => {
    expect(filter(["yy", "x"], ["1x2yy"])).toEqual([["1", ""], true]);
  });
});
