import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Turn } from "../../../../static/src/page/conversation";
import type { Answerer } from "../../../../static/src/page/engine";
import { defaults } from "../../../../static/src/page/settings";
import { blank } from "../../../../static/src/page/store/new";
import { Recorder } from "../../../../static/src/page/store/recorder";

/** What the list of messages was last told to show, and a fault to order. */
const view = vi.hoisted(() => ({ shown: [] as unknown[], fault: null as Error | null }));

vi.mock("../../../../static/src/page/messages", async (original) => ({
  ...(await original<object>()),
  MessageList: class {
    show(turns: unknown[]) {
      view.shown = [...turns];
    }
    append(turn: unknown) {
      view.shown.push(turn);
    }
    refresh() {
      if (view.fault) throw view.fault;
    }
    allow() {}
    stream() {}
    redraw() {}
  },
}));
vi.mock("../../../../static/src/page/dom", () => ({
  find: () => ({ textContent: "" }),
  paced: (action: () => void) => action,
}));
vi.mock("../../../../static/src/page/answer-text", () => ({
  loadMarkdown: async () => {},
  newSpeech: () => null,
  AnswerText: class {},
}));
vi.stubGlobal("HTMLElement", class {});

const { Chat } = await import("../../../../static/src/page/chat");

type Request = Parameters<Answerer["chat"]["completions"]["create"]>[0];

/** Answers with these pieces; an error among them is thrown in its place. */
function model(...pieces: (string | Error)[]) {
  const requests: Request[] = [];
  const create = async function* (request: Request) {
    requests.push(request);
    for (const content of pieces) {
      if (content instanceof Error) throw content;
      yield { choices: [{ delta: { content }, finish_reason: null }] };
    }
    yield { choices: [{ delta: {}, finish_reason: "stop" }] };
  };
  const engine = {
    info: { context: 100 },
    countTokens: vi.fn(async () => 0),
    chat: { completions: { create: async (request: Request) => create(request) } },
  };
  return { engine: engine as unknown as Answerer, requests, counting: engine.countTokens };
}

const trouble = (code: string) =>
  Object.assign(new Error("ordered"), { code, hint: "", values: {} });
const talk = (): Turn[] => [
  { role: "user", content: "What is clay?" },
  { role: "assistant", content: "Mud of a kind", finish: "length" },
];

function recorded(turns: Turn[]): Recorder {
  const store = { write: async () => "written" as const };
  const events = { saved() {}, lost() {}, failed() {} };
  return new Recorder(store, { ...blank(), turns }, true, events);
}

function open(turns: Turn[], engine: Answerer) {
  const events = {
    busy: vi.fn(),
    trouble: vi.fn(),
    overflow: vi.fn(),
    changed: vi.fn(),
    grown: vi.fn(),
    answering: vi.fn(),
  };
  const chat = new Chat(() => defaults(), events);
  chat.open(recorded(turns), false);
  chat.attach(engine);
  return { chat, events, turns };
}

/** Until the answer under way has ended. */
const settled = async (events: { busy: ReturnType<typeof vi.fn> }) => {
  await vi.waitFor(() => expect(events.busy).toHaveBeenLastCalledWith(false));
};

beforeEach(() => {
  view.fault = null;
});

describe("an answer asked for anew", () => {
  test("takes the old one's place with its first words", async () => {
    const { engine, requests } = model("Fine ", "earth");
    const { chat, events, turns } = open(talk(), engine);
    const old = turns[1];
    chat.regenerate();
    expect(turns[1]).toBe(old);
    expect(view.shown).toEqual([turns[0], { role: "assistant", content: "" }]);
    await settled(events);
    expect(turns).toMatchObject([{ role: "user" }, { content: "Fine earth", finish: "stop" }]);
    expect(requests[0]?.messages).toEqual([{ role: "user", content: "What is clay?" }]);
  });

  test.each([
    ["fails", [trouble("server-unreachable")]],
    ["is stopped", [trouble("aborted")]],
    ["stays empty", []],
  ])("and the old one stays if it %s before there is a word", async (_, pieces) => {
    const { chat, events, turns } = open(talk(), model(...pieces).engine);
    chat.regenerate();
    await settled(events);
    expect(turns).toEqual(talk());
    expect(view.shown).toEqual(talk());
  });

  test("is kept as far as it came", async () => {
    const { chat, events, turns } = open(talk(), model("Fine", trouble("device-lost")).engine);
    chat.regenerate();
    await settled(events);
    expect(turns).toMatchObject([{ role: "user" }, { content: "Fine" }]);
    expect(events.trouble).toHaveBeenCalledOnce();
  });

  test("is asked for again when older turns had to go first", async () => {
    const { engine, requests } = model(trouble("context-overflow"));
    const { chat, events, turns } = open([...talk(), ...talk()], engine);
    chat.regenerate();
    await settled(events);
    expect(events.overflow).toHaveBeenCalledWith(true);
    await chat.dropOldestAndRetry();
    await settled(events);
    expect(requests[1]?.messages).toEqual([{ role: "user", content: "What is clay?" }]);
    expect(turns.map(({ dropped }) => dropped)).toEqual([true, true, undefined, undefined]);
  });
});

describe("an exception of the view", () => {
  test("is told, and leaves nobody waiting", async () => {
    const { engine } = model("Mud");
    const { chat, events, turns } = open([], engine);
    view.fault = new RangeError("Maximum call stack size exceeded");
    chat.send("What is clay?");
    await settled(events);
    expect(events.trouble).toHaveBeenCalledWith(expect.objectContaining({ code: "internal" }));
    view.fault = null;
    chat.send("And now?");
    await vi.waitFor(() => expect(turns.at(-1)).toMatchObject({ content: "Mud" }));
    await settled(events);
    await chat.stop(); // nothing is under way
  });
});

test("turns are not dropped from a conversation opened in the meantime", async () => {
  const { engine, counting } = model("Mud");
  const { chat, events } = open([...talk(), ...talk(), ...talk()], engine);
  const other = [...talk(), ...talk(), ...talk()];
  counting.mockImplementation(async () => {
    chat.open(recorded(other), false);
    return 1000;
  });
  await chat.dropOldestAndRetry();
  expect(other.filter(({ dropped }) => dropped)).toEqual([]);
  expect(events.answering).not.toHaveBeenCalled();
});
