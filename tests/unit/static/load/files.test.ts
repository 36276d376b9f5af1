import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Progress } from "../../../../static/src/engine/api";
import type { FileCache } from "../../../../static/src/load/cache";
import { type Bytes, FileStore } from "../../../../static/src/load/files";
import { ProgressMeter } from "../../../../static/src/load/progress";

const CONTENT = new TextEncoder().encode("sixteen  bytes !");
const hash = (bytes: Bytes) => createHash("sha256").update(bytes).digest("hex");
const damaged = (): Bytes => CONTENT.map((byte, index) => (index === 3 ? byte ^ 1 : byte));

class MemoryCache implements FileCache {
  readonly stored = new Map<string, Bytes>();
  full = false;

  async read(sha256: string) {
    return this.stored.get(sha256) ?? null;
  }
  async write(sha256: string, bytes: Bytes) {
    if (this.full) throw new DOMException("no room", "QuotaExceededError");
    this.stored.set(sha256, bytes.slice());
  }
  async remove(sha256: string) {
    this.stored.delete(sha256);
  }
  async sizes(wanted: Iterable<string> = this.stored.keys()) {
    const found = [...wanted].map((name) => [name, this.stored.get(name)?.length ?? 0] as const);
    return new Map(found.filter(([name]) => this.stored.has(name)));
  }
}

/** A server that answers each request with the next of `answers`, then with CONTENT. */
function serve(...answers: (() => Response)[]) {
  const fetched = vi.fn(async (_url: URL, _init: RequestInit) =>
    (answers.shift() ?? (() => new Response(CONTENT)))(),
  );
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

let cache: MemoryCache;
let last: Progress | undefined;
let abort: AbortController;
let notes: string[];

function store(files = ["a.bin"]): FileStore {
  let time = 0;
  return new FileStore({
    base: "https://x.org/m/manifest.json",
    files: Object.fromEntries(
      files.map((name) => [name, { bytes: CONTENT.length, sha256: hash(CONTENT) }]),
    ),
    cache,
    meter: new ProgressMeter(
      (progress) => {
        last = progress;
      },
      () => (time += 1000),
    ),
    notes,
    backoffMs: 1,
  });
}

beforeEach(() => {
  cache = new MemoryCache();
  last = undefined;
  abort = new AbortController();
  notes = [];
});
afterEach(() => vi.unstubAllGlobals());

describe("FileStore", () => {
  test("fetches once, then reads its cache", async () => {
    const fetched = serve();
    expect(await store().get("a.bin", abort.signal)).toEqual(CONTENT);
    expect(await store().get("a.bin", abort.signal)).toEqual(CONTENT);
    expect(fetched).toHaveBeenCalledTimes(1);
    expect(String(fetched.mock.calls[0]?.[0])).toBe("https://x.org/m/a.bin");
    expect(last).toMatchObject({ loaded: 16, cached: 16 });
  });

  test("a byte flipped in the cache is noticed, deleted and fetched again", async () => {
    cache.stored.set(hash(CONTENT), damaged());
    const fetched = serve();
    expect(await store().get("a.bin", abort.signal)).toEqual(CONTENT);
    expect(fetched).toHaveBeenCalledTimes(1);
    expect(cache.stored.get(hash(CONTENT))).toEqual(CONTENT);
    expect(last).toMatchObject({ loaded: 16, cached: 0 });
  });

  test("a damaged copy does not outlive a server that is down", async () => {
    cache.stored.set(hash(CONTENT), damaged());
    serve(() => new Response("", { status: 404 }));
    await expect(store().get("a.bin", abort.signal)).rejects.toMatchObject({ code: "network" });
    expect(cache.stored.size).toBe(0);
  });

  test("a byte flipped on the way is fetched again past the browser's cache", async () => {
    const fetched = serve(() => new Response(damaged()));
    expect(await store().get("a.bin", abort.signal)).toEqual(CONTENT);
    expect(fetched.mock.calls.map(([, init]) => init.cache)).toEqual(["default", "reload"]);
    expect(last?.loaded).toBe(16);
  });

  test.each([
    ["a flipped byte", () => new Response(damaged())],
    ["a missing byte", () => new Response(CONTENT.slice(1))],
    ["a byte too many", () => new Response(new Uint8Array([...CONTENT, 0]))],
    ["an error page", () => new Response("<!doctype html><title>not found</title>")],
  ])("%s, twice, is an integrity error and stays out of the cache", async (_, answer) => {
    const fetched = serve(answer, answer);
    await expect(store().get("a.bin", abort.signal)).rejects.toMatchObject({ code: "integrity" });
    expect(fetched).toHaveBeenCalledTimes(2);
    expect(cache.stored.size).toBe(0);
    expect(last?.loaded).toBe(0);
  });

  test("tries three times when the server or the network fails", async () => {
    const down = () => new Response("", { status: 503 });
    const cut = () => {
      throw new TypeError("network error");
    };
    serve(down, cut);
    expect(await store().get("a.bin", abort.signal)).toEqual(CONTENT);
    cache.stored.clear();
    const fetched = serve(down, cut, down);
    await expect(store().get("a.bin", abort.signal)).rejects.toMatchObject({
      code: "network",
      message: expect.stringMatching(/a\.bin.*3 tries.*503/),
    });
    expect(fetched).toHaveBeenCalledTimes(3);
  });

  test("a connection cut in the middle starts the file over", async () => {
    const half = () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            controller.enqueue(CONTENT.slice(0, 8));
            controller.error(new TypeError("connection reset"));
          },
        }),
      );
    serve(half);
    expect(await store().get("a.bin", abort.signal)).toEqual(CONTENT);
    expect(last?.loaded).toBe(16);
  });

  test("a missing file is not asked for again", async () => {
    const fetched = serve(() => new Response("", { status: 404 }));
    await expect(store().get("a.bin", abort.signal)).rejects.toMatchObject({ code: "network" });
    expect(fetched).toHaveBeenCalledTimes(1);
  });

  test("a full disk is noted once and stops nothing", async () => {
    serve();
    cache.full = true;
    const files = store(["a.bin", "b.bin"]);
    expect(await files.get("a.bin", abort.signal)).toEqual(CONTENT);
    expect(await files.get("b.bin", abort.signal)).toEqual(CONTENT);
    expect(notes).toEqual([expect.stringMatching(/no room/)]);
  });

  test("an abort is reported as one", async () => {
    serve(() => {
      abort.abort();
      throw new DOMException("aborted", "AbortError");
    });
    await expect(store().get("a.bin", abort.signal)).rejects.toMatchObject({ code: "aborted" });
  });

  test("an aborted call touches neither the cache nor the network", async () => {
    const fetched = serve();
    abort.abort();
    cache.stored.set(hash(CONTENT), CONTENT);
    await expect(store().get("a.bin", abort.signal)).rejects.toMatchObject({ code: "aborted" });
    expect(last).toBeUndefined();
    expect(fetched).not.toHaveBeenCalled();
  });

  test("one call's abort leaves the others be", async () => {
    serve();
    const files = store();
    abort.abort();
    await expect(files.get("a.bin", abort.signal)).rejects.toMatchObject({ code: "aborted" });
    expect(await files.get("a.bin", new AbortController().signal)).toEqual(CONTENT);
  });

  test("has at most four requests in flight", async () => {
    let active = 0;
    let most = 0;
    vi.stubGlobal("fetch", async () => {
      most = Math.max(most, ++active);
      await new Promise((resolve) => setTimeout(resolve, 5));
      active -= 1;
      return new Response(CONTENT);
    });
    const names = Array.from({ length: 9 }, (_, index) => `${index}.bin`);
    cache.read = async () => null;
    const files = store(names);
    // Late ones arrive while places change hands.
    const early = names.slice(0, 6).map((name) => files.get(name, abort.signal));
    const late = early[0]?.then(() =>
      Promise.all(names.slice(6).map((name) => files.get(name, abort.signal))),
    );
    const all = [...(await Promise.all(early)), ...((await late) ?? [])];
    expect(all).toEqual(names.map(() => CONTENT));
    expect(most).toBe(4);
  });
});
