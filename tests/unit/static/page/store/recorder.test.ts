import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Turn } from "../../../../../static/src/page/conversation";
import { blank } from "../../../../../static/src/page/store/new";
import { Recorder } from "../../../../../static/src/page/store/recorder";
import type { Change, Outcome } from "../../../../../static/src/page/store/store";

const question: Turn = { role: "user", content: "What is clay?" };

/** A store that notes what it is told, and answers as it is told. */
class Notebook {
  readonly changes: Change[] = [];
  outcome: () => Outcome = () => "written";
  async write(change: Change): Promise<Outcome> {
    this.changes.push(structuredClone(change));
    return this.outcome();
  }
}

function begin(stored: Turn[] = []) {
  const notebook = new Notebook();
  const events = { saved: vi.fn(), lost: vi.fn(), failed: vi.fn() };
  const { summary } = blank();
  const recorder = new Recorder(notebook, { summary, turns: stored }, stored.length > 0, events);
  return { notebook, events, recorder };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a conversation begins with its first question", async () => {
  const { notebook, recorder } = begin();
  await recorder.save();
  expect(notebook.changes).toEqual([]);
  recorder.turns.push(question);
  await recorder.save();
  const { id } = recorder.summary;
  expect(notebook.changes).toMatchObject([
    {
      id,
      stored: false,
      title: "What is clay?",
      length: 1,
      turns: [{ conversation: id, index: 0 }],
    },
  ]);
});

test("a server's answer is not the site's model's, whose folder stays", async () => {
  const { notebook, recorder } = begin();
  recorder.answeredBy({ model: "tiny" }, "");
  recorder.answeredBy({ serverModel: "gpt-oss" }, "");
  recorder.turns.push(question);
  await recorder.save();
  recorder.answeredBy({ model: "other" }, "");
  recorder.turns.push({ role: "assistant", content: "Mud." });
  await recorder.save();
  expect(notebook.changes.map(({ fields }) => [fields.model, fields.serverModel])).toEqual([
    ["tiny", "gpt-oss"],
    ["other", ""],
  ]);
});

test("an answer that grows is written now and then, and alone", async () => {
  const { notebook, recorder } = begin([question]);
  const turn: Turn = { role: "assistant", content: "" };
  recorder.turns.push(turn);
  for (let piece = 0; piece < 100; piece++) {
    turn.content += "mud ";
    recorder.saveSoon();
    await vi.advanceTimersByTimeAsync(10);
  }
  await vi.runAllTimersAsync();
  expect(notebook.changes.length).toBe(4); // a second's pieces, every 250 ms
  expect(notebook.changes.map(({ turns }) => turns.map(({ index }) => index))).toEqual(
    Array(4).fill([1]),
  );
  expect(notebook.changes.at(-1)?.turns[0]?.content).toBe("mud ".repeat(100));
});

test("turns that are gone are gone there too", async () => {
  const { notebook, recorder } = begin([question, { role: "assistant", content: "Mud" }]);
  recorder.turns.length = 1;
  await recorder.save();
  expect(notebook.changes).toMatchObject([{ turns: [], length: 1 }]);
});

test("another system prompt is written by itself", async () => {
  const { notebook, recorder } = begin([question]);
  recorder.instructed("Be bri");
  recorder.instructed("Be brief.");
  await vi.runAllTimersAsync();
  expect(notebook.changes).toMatchObject([{ turns: [], fields: { system: "Be brief." } }]);
});

test("nothing new is nothing to write", async () => {
  const { notebook, recorder, events } = begin([question]);
  await recorder.save();
  expect(notebook.changes).toEqual([]);
  expect(events.saved).toHaveBeenLastCalledWith(true);
});

describe("a write that fails", () => {
  test("is made good by the next", async () => {
    const { notebook, recorder, events } = begin();
    notebook.outcome = () => {
      throw new Error("full");
    };
    recorder.turns.push({ ...question });
    await recorder.save();
    expect(events.failed).toHaveBeenCalledOnce();
    expect(events.saved).toHaveBeenLastCalledWith(false);
    notebook.outcome = () => "written";
    recorder.turns.push({ role: "assistant", content: "Mud" });
    await recorder.save();
    expect(notebook.changes.at(-1)?.turns.length).toBe(2);
    expect(events.saved).toHaveBeenLastCalledWith(true);
  });

  test.each(["deleted", "overtaken"] as const)("because it was %s is the last", async (why) => {
    const { notebook, recorder, events } = begin([question]);
    notebook.outcome = () => why;
    recorder.turns.push({ role: "assistant", content: "Mud" });
    await recorder.save();
    expect(events.lost).toHaveBeenCalledWith(why);
    recorder.turns.push({ ...question });
    await recorder.save();
    expect(notebook.changes.length).toBe(1);
  });
});
