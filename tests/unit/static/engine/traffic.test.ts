import { afterEach, expect, test, vi } from "vitest";
import { requestsSoFar, toRecord } from "../../../../static/src/engine/traffic";

const entry = (name: string, more: Partial<PerformanceResourceTiming> = {}) =>
  ({
    name,
    startTime: 5,
    initiatorType: "fetch",
    transferSize: 0,
    encodedBodySize: 0,
    decodedBodySize: 0,
    workerStart: 0,
    responseStatus: 200,
    ...more,
  }) as PerformanceResourceTiming;

vi.stubGlobal("location", { origin: "https://here.example" });
afterEach(() => vi.restoreAllMocks());

test("what the browser tells of a request", () => {
  const sizes = { transferSize: 1300, encodedBodySize: 1000, decodedBodySize: 3000 };
  expect(toRecord(entry("https://here.example/page.js", sizes), "page")).toEqual({
    address: "https://here.example/page.js",
    by: "page",
    at: performance.timeOrigin + 5,
    initiator: "fetch",
    bytes: 1300,
    size: 1000,
    status: 200,
    relayed: false,
  });
});

test("another origin may keep the size to itself", () => {
  expect(toRecord(entry("https://other.example/"), "worker").bytes).toBeNull();
  expect(toRecord(entry("https://other.example/", { transferSize: 9 }), "worker").bytes).toBe(9);
  // Of this origin, nothing over the network is nothing over the network.
  expect(toRecord(entry("https://here.example/"), "worker").bytes).toBe(0);
});

test("one that a service worker answered is marked", () => {
  expect(toRecord(entry("https://here.example/", { workerStart: 3 }), "page").relayed).toBe(true);
});

test("addresses that need no network are no requests", () => {
  const names = ["data:,a", "blob:https://here.example/1", "https://here.example/b"];
  vi.spyOn(performance, "getEntriesByType").mockReturnValue(names.map((name) => entry(name)));
  expect(requestsSoFar("thread").map(({ address }) => address)).toEqual(["https://here.example/b"]);
});
