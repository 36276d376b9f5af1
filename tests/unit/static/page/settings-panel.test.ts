import { beforeEach, expect, test, vi } from "vitest";

/** As much of an element as the panel needs. */
class Node extends EventTarget {
  value = "";
  textContent = "";
  append() {}
  replaceChildren() {}
  setAttribute() {}
}

const nodes = vi.hoisted(() => new Map<string, EventTarget>());
vi.mock("../../../../static/src/page/dom", () => ({
  find: (id: string) => {
    if (!nodes.has(id)) nodes.set(id, new Node());
    return nodes.get(id);
  },
  element: () => new Node(),
}));
vi.mock("../../../../static/src/page/run-on", () => ({ RunOnField: class {} }));
for (const name of [
  "HTMLElement",
  "HTMLDialogElement",
  "HTMLTextAreaElement",
  "HTMLButtonElement",
]) {
  vi.stubGlobal(name, Node);
}
const kept = new Map<string, string>();
vi.stubGlobal("localStorage", {
  getItem: (key: string) => kept.get(key) ?? null,
  setItem: (key: string, value: string) => kept.set(key, value),
});

const { SettingsPanel } = await import("../../../../static/src/page/settings-panel");

const instructed = vi.fn();
const open = () => new SettingsPanel({ changed() {}, instructed, runOn() {}, reload() {} });

function type(text: string): void {
  const field = nodes.get("system-prompt") as Node;
  field.value = text;
  field.dispatchEvent(new Event("input"));
}

beforeEach(() => {
  nodes.clear();
  kept.clear();
  instructed.mockReset();
});

test("the system prompt of a new conversation is the person's own", () => {
  instructed.mockReturnValue(false);
  const panel = open();
  type("Be brief.");
  expect(panel.value.system).toBe("Be brief.");
  expect(open().value.system).toBe("Be brief.");
});

test("that of an older conversation is its own, and leaves the person's as it was", () => {
  instructed.mockReturnValue(false);
  const panel = open();
  type("Be brief.");
  instructed.mockReturnValue(true);
  panel.useSystem("Be long.");
  type("Be longer.");
  expect(instructed).toHaveBeenLastCalledWith("Be longer.");
  expect(panel.value.system).toBe("Be longer.");
  panel.useSystem(null);
  expect(panel.value.system).toBe("Be brief.");
  expect(open().value.system).toBe("Be brief.");
});
