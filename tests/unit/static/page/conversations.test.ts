import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WebkilnError } from "../../../../static/src/engine/api";
import type { Turn } from "../../../../static/src/page/conversation";
import { newSummary } from "../../../../static/src/page/store/new";
import type { Recorder } from "../../../../static/src/page/store/recorder";
import type { Conversation } from "../../../../static/src/page/store/records";
import type { Change } from "../../../../static/src/page/store/store";

/** A database in memory, and what goes wrong with it. */
const database = vi.hoisted(() => ({
  kept: new Map<string, unknown>(),
  faults: {} as Partial<Record<"open" | "read" | "claim" | "write", unknown>>,
}));

vi.mock("../../../../static/src/page/store/store", () => ({
  ConversationStore: class {
    readonly channel = { listen() {}, ask() {} };
    private do<Result>(what: keyof typeof database.faults, result: () => Result): Result {
      if (database.faults[what]) throw database.faults[what];
      return result();
    }
    async open() {
      this.do("open", () => {});
    }
    async read(id: string) {
      return this.do("read", () => structuredClone(database.kept.get(id) ?? null));
    }
    async claim(id: string) {
      return this.do("claim", () => structuredClone(database.kept.get(id) ?? null));
    }
    async write({ id, turns }: Change) {
      return this.do("write", () => {
        const kept = (database.kept.get(id) ?? {
          summary: { ...newSummary(), id },
          turns: [],
        }) as Conversation;
        for (const { index, role, content } of turns) kept.turns[index] = { role, content };
        database.kept.set(id, kept);
        return "written";
      });
    }
  },
}));
vi.mock("../../../../static/src/page/dom", () => ({ find: () => ({ dataset: {} }) }));
vi.stubGlobal("HTMLElement", class {});
vi.stubGlobal("addEventListener", () => {});
vi.stubGlobal("document", { addEventListener() {}, visibilityState: "visible" });
vi.stubGlobal("navigator", {});

const { Conversations } = await import("../../../../static/src/page/conversations");

const turn = (content: string): Turn => ({ role: "user", content });
const texts = (id: string) =>
  (database.kept.get(id) as Conversation | undefined)?.turns.map(({ content }) => content);

/** A tab whose address names `hash`. */
function visit(hash = "") {
  const place = { hash, pathname: "/", search: "" };
  const go = (_state: unknown, _title: string, address: string) => {
    place.hash = address.slice(1);
  };
  vi.stubGlobal("location", place);
  vi.stubGlobal("history", { pushState: go, replaceState: go });
  const shown: { record: Recorder; readOnly: boolean }[] = [];
  const notes = new Map<string, string>();
  const chat = {
    stop: async () => {},
    open: (record: Recorder, readOnly: boolean) => shown.push({ record, readOnly }),
  };
  const note = {
    show: (name: string, text: string) => notes.set(name, text),
    hide: (name: string) => notes.delete(name),
  };
  const events = { opened: vi.fn(), failed: vi.fn() };
  const conversations = new Conversations(chat as never, note as never, events);
  const say = async (content: string) => {
    const record = shown.at(-1)?.record;
    record?.turns.push(turn(content));
    await record?.save();
  };
  return { conversations, shown, notes, events, place, say };
}

beforeEach(() => {
  database.kept.clear();
  database.faults = {};
  for (const id of ["aaaa", "bbbb"]) {
    database.kept.set(id, { summary: { ...newSummary(), id }, turns: [turn(id)] });
  }
});
afterEach(() => void vi.useRealTimers());

test.each(["read", "claim"] as const)(
  "what is open stays if another fails at its %s",
  async (at) => {
    const { conversations, events, place, say } = visit("#chat=aaaa");
    await conversations.ready;
    database.faults[at] = new Error("damaged");
    await conversations.open("bbbb");
    expect(events.failed).toHaveBeenCalledWith(database.faults[at]);
    expect([conversations.summary.id, conversations.writable, place.hash]).toEqual([
      "aaaa",
      true,
      "#chat=aaaa",
    ]);
    database.faults = {};
    await say("and more");
    expect(texts("aaaa")).toEqual(["aaaa", "and more"]);
    await conversations.open("bbbb");
    await say("elsewhere");
    expect([texts("aaaa"), texts("bbbb")]).toEqual([
      ["aaaa", "and more"],
      ["bbbb", "elsewhere"],
    ]);
    expect(place.hash).toBe("#chat=bbbb");
  },
);

test("a first conversation that cannot be read leaves its address, and a new one is kept", async () => {
  database.faults.read = new Error("damaged");
  const { conversations, events, notes, place, say } = visit("#chat=aaaa");
  await conversations.ready;
  expect(events.failed).toHaveBeenCalledOnce();
  expect(notes.get("missing")).toMatch(/cannot be shown\. .*reports: Error: damaged/);
  expect(place.hash).toBe("#chat=aaaa"); // reloading the page tries again
  expect(conversations.writable).toBe(true);
  await say("Anyway");
  expect(texts(conversations.summary.id)).toEqual(["Anyway"]);
});

test("one that is not there leaves no address", async () => {
  const { conversations, notes, place } = visit("#chat=cccc");
  await conversations.ready;
  expect(notes.get("missing")).toContain("not in this browser");
  expect([conversations.empty, place.hash]).toEqual([true, ""]);
});

test("what a newer page keeps is told, and its address stays", async () => {
  database.faults.open = new WebkilnError("storage", "kept by a newer version", "Reload the page.");
  const { conversations, notes, place, shown } = visit("#chat=aaaa");
  await conversations.ready;
  expect(notes.get("storage")).toMatch(/Nothing is kept here.*Kept by a newer version. Reload/);
  expect(conversations.notKept).toBe("Kept by a newer version. Reload the page.");
  expect(place.hash).toBe("#chat=aaaa");
  expect(shown.at(-1)?.readOnly).toBe(false);
});

test.each([
  [new DOMException("full", "QuotaExceededError"), /no room left/],
  [new WebkilnError("storage", "kept by a newer version", "Reload the page."), /newer.*Reload/],
  [new DOMException("closed", "AbortError"), /database reports: AbortError: closed/],
])("a write that fails says why: %s", async (fault, why) => {
  const { conversations, notes, say } = visit("#chat=aaaa");
  await conversations.ready;
  database.faults.write = fault;
  await say("and more");
  expect(notes.get("storage")).toMatch(/^The last words could not be kept\./);
  expect(notes.get("storage")).toMatch(why);
  if (!String(why).includes("room")) expect(notes.get("storage")).not.toContain("room");
  database.faults = {};
  await say("and again");
  expect(notes.has("storage")).toBe(false);
});

test("a conversation that has begun has a system prompt of its own", async () => {
  const { conversations } = visit("#chat=aaaa");
  await conversations.ready;
  expect(conversations.instructed("Be brief.")).toBe(true);
  expect(conversations.summary.system).toBe("Be brief.");
  await conversations.anew();
  expect(conversations.instructed("Be long.")).toBe(false);
});

test("what cannot be taken over is told when the conversation is there", async () => {
  const former = JSON.stringify([turn("of an older page")]);
  const storage = { getItem: (key: string) => (key === "webkiln.conversation" ? former : null) };
  vi.stubGlobal("sessionStorage", storage);
  const { conversations, events } = visit("#chat=aaaa"); // whose database takes nothing over
  await conversations.ready;
  vi.stubGlobal("sessionStorage", undefined);
  expect(conversations.summary.id).toBe("aaaa");
  const [opened = 0] = events.opened.mock.invocationCallOrder;
  const [failed = 0] = events.failed.mock.invocationCallOrder;
  expect(failed).toBeGreaterThan(opened); // opening takes notices away
});
