import { beforeEach, expect, test } from "vitest";
import { TokenDrafts } from "../../../../../static/src/page/server/token-drafts";
import { rememberToken } from "../../../../../static/src/page/server/tokens";
import { allowedOrigin } from "../../../../../static/src/server/address";

const A = "http://localhost:11434";
const B = "https://models.example";
const BLANK = { token: "", keep: false };

beforeEach(() => {
  rememberToken(A, "of A", false);
  rememberToken(B, "", false);
});

test("a server's token is not shown for another", () => {
  const drafts = new TokenDrafts();
  const shown = drafts.begin(A);
  expect(shown).toEqual({ token: "of A", keep: false });
  expect(drafts.move(B, shown)).toEqual(BLANK);
  expect(drafts.move(A, BLANK)).toEqual(shown);
});

test("nor is it by way of an address that names no server", () => {
  const drafts = new TokenDrafts();
  const nowhere = drafts.move("", drafts.begin(A));
  expect(nowhere).toEqual(BLANK);
  expect(drafts.move(B, nowhere)).toEqual(BLANK);
});

test("what is typed for a server is there when its address comes again", () => {
  const drafts = new TokenDrafts();
  const typed = { token: "typed for B", keep: true };
  drafts.move(B, drafts.begin(A));
  expect(drafts.move(B, typed)).toEqual(typed); // its path was changed, and nothing else
  expect(drafts.move("", typed)).toEqual(BLANK);
  expect(drafts.move(B, BLANK)).toEqual(typed);
  expect(drafts.begin(B)).toEqual(BLANK); // the dialog was closed without using it
});

test("what is typed before there is an address is meant for the first", () => {
  const drafts = new TokenDrafts();
  const typed = { token: "typed first", keep: false };
  drafts.begin("");
  expect(drafts.move(B, typed)).toEqual(typed);
  expect(drafts.move(A, typed)).toEqual({ token: "of A", keep: false });
});

test.each([
  [`${A}/v1`, A],
  [" HTTPS://Models.Example ", B],
  ["http://localhost:1143", ""],
  ["models.example", ""],
  ["", ""],
])("%j names %j", (typed, origin) => expect(allowedOrigin(typed, [A, B])).toBe(origin));
