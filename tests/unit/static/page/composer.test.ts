import { beforeEach, describe, expect, test, vi } from "vitest";

/** As much of an element as the message box needs. */
class Node extends EventTarget {
  value = "";
  hidden = false;
  disabled = false;
  scrollHeight = 20;
  style = {};
  focus() {}
}

const nodes: Record<string, Node> = {};
const page = Object.assign(new Node(), { activeElement: null, querySelector: () => null });
vi.mock("../../../../static/src/page/dom", async (original) => ({
  ...(await original<object>()),
  find: (id: string) => nodes[id],
}));
for (const name of ["HTMLElement", "HTMLFormElement", "HTMLTextAreaElement", "HTMLButtonElement"]) {
  vi.stubGlobal(name, Node);
}
vi.stubGlobal("document", page);
vi.stubGlobal("matchMedia", () => ({ matches: false }));

const { Composer } = await import("../../../../static/src/page/composer");

function press(target: EventTarget, key: string, more: object = {}): Event {
  const event = new Event("keydown", { cancelable: true });
  Object.assign(event, { key, keyCode: 0, isComposing: false, shiftKey: false, ...more });
  target.dispatchEvent(event);
  return event;
}

const COMPOSING = [
  ["while a character is composed", { isComposing: true }],
  ["after Safari has ended composing", { keyCode: 229 }],
] as const;

describe("the message box", () => {
  const onSend = vi.fn();
  const onStop = vi.fn();
  const input = () => nodes.input as Node;

  beforeEach(() => {
    vi.clearAllMocks();
    for (const id of ["composer", "input", "send", "stop"]) nodes[id] = new Node();
    new Composer(onSend, onStop).setBusy(false);
    input().value = "にほん";
  });

  test("sends with Enter", () => {
    expect(press(input(), "Enter").defaultPrevented).toBe(true);
    expect(onSend).toHaveBeenCalledWith("にほん");
  });

  test.each(COMPOSING)("leaves Enter to the input method %s", (_, more) => {
    expect(press(input(), "Enter", more).defaultPrevented).toBe(false);
    expect(onSend).not.toHaveBeenCalled();
  });
});

describe("Escape during an answer", () => {
  const onStop = vi.fn();

  beforeEach(() => {
    vi.clearAllMocks();
    for (const id of ["composer", "input", "send", "stop"]) nodes[id] = new Node();
    vi.stubGlobal("document", Object.assign(new Node(), { querySelector: () => null }));
    new Composer(vi.fn(), onStop).setBusy(true);
  });

  test("stops it", () => {
    press(document, "Escape");
    expect(onStop).toHaveBeenCalledOnce();
  });

  test.each(COMPOSING)("is the input method's %s", (_, more) => {
    press(document, "Escape", more);
    expect(onStop).not.toHaveBeenCalled();
  });

  test("that closed a panel stops nothing", () => {
    const event = Object.assign(new Event("keydown", { cancelable: true }), { key: "Escape" });
    event.preventDefault(); // as the panel did, on its way here
    document.dispatchEvent(event);
    expect(onStop).not.toHaveBeenCalled();
  });
});
