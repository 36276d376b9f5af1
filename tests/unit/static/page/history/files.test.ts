import { describe, expect, test } from "vitest";
import { fileName, toJson, toMarkdown } from "../../../../../static/src/page/history/export";
import { fromJson } from "../../../../../static/src/page/history/import";
import { ask, conversation, say } from "./samples";

const NOW = new Date(Date.UTC(2026, 10, 22, 9));
const STATS = {
  promptTokens: 5,
  cachedTokens: 0,
  completionTokens: 1,
  prefillSeconds: 0.25,
  decodeSeconds: 0.5,
};
const clay = conversation(
  "a1",
  [
    { ...ask("What is clay?"), dropped: true },
    { ...say("Mud."), stats: STATS },
    ask("And a kiln? 🏺"),
    { role: "assistant", content: "An ov" },
  ],
  "Clay",
);

describe("JSON", () => {
  test("comes back whole", () => {
    const other = conversation("b2", []);
    other.summary.serverModel = "gpt-oss";
    expect(fromJson(toJson([clay, other], NOW))).toEqual([clay, other]);
  });

  test("is what the documentation says", () => {
    const turns = [{ role: "user", content: "Hi" }];
    expect(JSON.parse(toJson([conversation("a1", [ask("Hi")], "Clay")], NOW))).toEqual({
      format: "webkiln-conversations",
      version: 1,
      exported: "2026-11-22T09:00:00.000Z",
      conversations: [
        {
          id: "a1",
          title: "Clay",
          named: true,
          model: "tiny",
          serverModel: "",
          created: "2026-11-21T08:00:00.000Z",
          updated: "2026-11-22T08:15:00.000Z",
          system: "",
          turns,
        },
      ],
    });
  });

  test("of before a server's model had a name is read", () => {
    const before = toJson([clay], NOW).replace(/^ *"serverModel".*\n/m, "");
    expect(before).not.toContain("serverModel");
    expect(fromJson(before)).toEqual([clay]);
  });
});

describe("a file that is damaged is refused with what is wrong, and where", () => {
  type Json = { conversations: [Record<string, unknown> & { turns: Record<string, unknown>[] }] };
  const damaged = (change: (file: Json & Record<string, unknown>) => void) => {
    const file = JSON.parse(toJson([clay], NOW));
    change(file);
    return JSON.stringify(file);
  };
  const turn = (index: number, fields: object) =>
    damaged((file) => Object.assign(file.conversations[0].turns[index] ?? {}, fields));
  const field = (fields: object) => damaged((file) => Object.assign(file.conversations[0], fields));

  test.each([
    ["nothing", "", /is not JSON/],
    ["cut off", toJson([clay], NOW).slice(0, -20), /is not JSON/],
    ["a list", "[]", /no export of conversations/],
    ["other JSON", '{"version":1}', /no export of conversations/],
    ["newer", damaged((file) => Object.assign(file, { version: 2 })), /version 2, which is newer/],
    ["of no version", damaged((file) => delete file.version), /version is missing; it must be 1/],
    [
      "no list",
      damaged((file) => Object.assign(file, { conversations: {} })),
      /conversations is \{\}/,
    ],
    ["null", damaged((file) => Object.assign(file, { conversations: [null] })), /\[0\] is null/],
    ["no id", field({ id: 7 }), /conversations\[0\]\.id is 7/],
    ["markup as an id", field({ id: "<b>" }), /conversations\[0\]\.id is "<b>"/],
    ["no title", field({ title: undefined }), /conversations\[0\]\.title is missing.*a text/],
    ["a date", field({ updated: "yesterday" }), /updated is "yesterday"; it must be a date/],
    ["a number for a name", field({ serverModel: 7 }), /\.serverModel is 7; it must be a text/],
    ["turns", field({ turns: "none" }), /conversations\[0\]\.turns is "none"; it must be a list/],
    ["a role", turn(1, { role: "system" }), /turns\[1\]\.role is "system".*"user" or "assistant"/],
    ["no words", turn(2, { content: null }), /turns\[2\]\.content is null; it must be a text/],
    ["a finish", turn(1, { finish: "bored" }), /turns\[1\]\.finish is "bored"/],
    ["stats", turn(1, { stats: { promptTokens: 5 } }), /turns\[1\]\.stats is/],
    ["dropped", turn(0, { dropped: "yes" }), /turns\[0\]\.dropped is "yes"/],
    ["twins", toJson([clay, clay], NOW), /conversations\[1\]\.id is a1, as another/],
  ])("%s", (_, text, message) => {
    expect(() => fromJson(text)).toThrow(message);
    expect(() => fromJson(text)).toThrow(expect.objectContaining({ code: "bad-request" }));
  });
});

describe("Markdown", () => {
  test("reads as the conversation", () => {
    expect(toMarkdown([clay])).toBe(
      [
        "# Clay",
        "*tiny · 2026-11-22 08:15 UTC*",
        "## You",
        "What is clay?",
        "## Answer",
        "Mud.",
        "## You",
        "And a kiln? 🏺",
        "## Answer",
        "An ov",
        "*This answer was interrupted.*\n",
      ].join("\n\n"),
    );
  });

  test("a server's answers are not the site's model's", () => {
    const answered = structuredClone(clay);
    answered.summary.serverModel = "gpt-oss";
    const [, facts] = toMarkdown([answered]).split("\n\n");
    expect(facts).toBe("*gpt-oss on a server · 2026-11-22 08:15 UTC*");
  });

  test("a title is a heading, whatever it holds", () => {
    const titled = conversation("a1", [], "# A *b*\n<c>");
    expect(toMarkdown([titled])).toMatch(/^# \\# A \\\*b\\\* \\<c\\>\n/);
  });
});

describe("a file's name", () => {
  const named = (title: string) => fileName([conversation("a1", [], title)], NOW, "md");

  test("is the title's, without what systems refuse", () => {
    expect(named("Où est l'argile? C:\\a/b")).toBe("webkiln-Où-est-l-argile-C-a-b.md");
    expect(named("???")).toBe("webkiln-conversation.md");
  });

  test("of several is the date's", () => {
    const all = [clay, conversation("b2", [])];
    expect(fileName(all, NOW, "json")).toBe("webkiln-conversations-2026-11-22.json");
  });
});
