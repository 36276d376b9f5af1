import { afterEach, expect, test, vi } from "vitest";
import type { RequestRecord } from "../../../../../static/src/engine/traffic";
import { askServiceWorker, Ledger, ledger } from "../../../../../static/src/page/privacy/ledger";

const request = (address: string, at: number, by: RequestRecord["by"] = "page"): RequestRecord => ({
  ...{ address, at, by, initiator: "fetch" },
  ...{ bytes: 0, size: 0, status: 200, relayed: false },
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("requests are in their order, each once, however often it is told", () => {
  const kept = new Ledger(0);
  kept.add([request("b", 20), request("a", 10)]);
  kept.add([request("a", 10), request("a", 10, "worker")]);
  expect(kept.requests.map(({ address, by }) => [address, by])).toEqual([
    ["a", "page"],
    ["a", "worker"],
    ["b", "page"],
  ]);
});

test("what was before the page is not the page's, but for clocks that differ", () => {
  const kept = new Ledger(10_000);
  kept.add([request("before", 5000), request("nearly", 9500), request("after", 10_001)]);
  expect(kept.requests.map(({ address }) => address)).toEqual(["nearly", "after"]);
});

test("bodies that were sent, and addresses that were refused; every change is told", () => {
  const kept = new Ledger(0);
  const onChange = vi.fn();
  kept.onChange = onChange;
  kept.addSent("a", 0);
  kept.addSent("a", 12);
  kept.addRefused("https://evil.example/");
  kept.addRefused("https://evil.example/");
  kept.add([]);
  expect(kept.sent).toEqual([{ address: "a", bytes: 12 }]);
  expect(kept.refused).toEqual(["https://evil.example/"]);
  expect(onChange).toHaveBeenCalledTimes(5);
});

interface Asked {
  type: string;
}

/** A service worker that controls the page, and what it was asked. */
function controlledBy(answer: ((port: MessagePort) => void) | null): Asked[] {
  const asked: Asked[] = [];
  const controller = answer && {
    postMessage(message: Asked, [port]: [MessagePort]) {
      asked.push(message);
      answer(port);
    },
  };
  vi.stubGlobal("navigator", { serviceWorker: { controller } });
  return asked;
}

test("without a service worker there is nobody to ask", async () => {
  controlledBy(null);
  expect(await askServiceWorker()).toBe(null);
});

test("the service worker is asked for what it did before", async () => {
  const made = request("https://kiln.example/app.json", Date.now(), "service-worker");
  const asked = controlledBy((port) => port.postMessage([made]));
  expect(await askServiceWorker()).toBe(true);
  expect(asked).toEqual([{ type: "requests" }]);
  expect(ledger.requests).toContainEqual(made);
});

test("one that does not answer is not waited for without end", async () => {
  vi.useFakeTimers();
  controlledBy(() => {});
  const heard = askServiceWorker();
  await vi.runAllTimersAsync();
  expect(await heard).toBe(false);
});
