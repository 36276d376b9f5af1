import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Progress } from "../../../../static/src/engine/api";
import type { FileCache } from "../../../../static/src/load/cache";
import { type Bytes, FileStore } from "../../../../static/src/load/files";
import { Gate, type Network } from "../../../../static/src/load/gate";
import { Mirrors } from "../../../../static/src/load/mirrors";
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
function serve(...answers: ((init: RequestInit) => Response)[]) {
  const fetched = vi.fn(async (_url: URL, init: RequestInit) =>
    (answers.shift() ?? (() => new Response(CONTENT)))(init),
  );
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

let cache: MemoryCache;
let last: Progress | undefined;
let abort: AbortController;
let notes: string[];
let network: EventTarget & { navigator: { onLine: boolean } };
let gate: Gate;
let stallMs: number;
let mirrors: Mirrors;

function store(files = ["a.bin"], ...others: string[]): FileStore {
  let time = 0;
  const test = abort;
  mirrors = new Mirrors(["x.org/m", ...others].map((at) => `https://${at}/manifest.json`));
  return new FileStore({
    mirrors,
    gate,
    files: Object.fromEntries(
      files.map((name) => [name, { bytes: CONTENT.length, sha256: hash(CONTENT) }]),
    ),
    cache,
    meter: new ProgressMeter(
      (progress) => {
        // What another test left under way goes on telling that it waits.
        if (test === abort) last = progress;
      },
      () => (time += 1000),
    ),
    remark: ({ note }) => notes.push(note),
    backoffMs: 1,
    stallMs,
  });
}

beforeEach(() => {
  vi.stubGlobal("navigator", {}); // Node 20 has none
  cache = new MemoryCache();
  last = undefined;
  abort = new AbortController();
  notes = [];
  stallMs = 60_000;
  network = Object.assign(new EventTarget(), { navigator: { onLine: true } });
  gate = new Gate(network satisfies Network);
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
    expect(fetched.mock.calls.map(([, init]) => init.cache)).toEqual(["no-store", "reload"]);
    expect(last?.loaded).toBe(16);
  });

  test.each([
    ["a flipped byte", () => new Response(damaged()), 2],
    ["a byte too many", () => new Response(new Uint8Array([...CONTENT, 0])), 2],
    ["an error page", () => new Response("<!doctype html><title>not found</title>"), 2],
    ["a missing byte", () => new Response(CONTENT.slice(1)), 5],
  ])(
    "%s, each time, is an integrity error and stays out of the cache",
    async (_, answer, tries) => {
      const fetched = serve(...Array.from({ length: 9 }, () => answer));
      await expect(store().get("a.bin", abort.signal)).rejects.toMatchObject({ code: "integrity" });
      expect(fetched).toHaveBeenCalledTimes(tries);
      expect(cache.stored.size).toBe(0);
      gate.pause();
      gate.resume();
      expect(last?.loaded).toBe(0);
    },
  );

  test("a web page is not taken for a file", async () => {
    const headers = { "Content-Type": "text/html; charset=utf-8" };
    const fetched = serve(() => new Response("<!doctype html>", { headers }));
    await expect(store().get("a.bin", abort.signal)).rejects.toMatchObject({
      code: "network",
      message: expect.stringMatching(/web page/),
    });
    expect(fetched).toHaveBeenCalledTimes(1);
  });

  const down = () => new Response("", { status: 503 });
  const cut = () => {
    throw new TypeError("network error");
  };

  test("tries five times when the server or the network fails", async () => {
    serve(down, cut, down, cut);
    expect(await store().get("a.bin", abort.signal)).toEqual(CONTENT);
    cache.stored.clear();
    const fetched = serve(down, cut, down, cut, down);
    await expect(store().get("a.bin", abort.signal)).rejects.toMatchObject({
      code: "network",
      message: expect.stringMatching(/a\.bin.*5 tries.*503/),
    });
    expect(fetched).toHaveBeenCalledTimes(5);
  });

  /** Sends the first `bytes` of the content, then fails. */
  const cutAfter = (bytes: number) => () =>
    new Response(
      new ReadableStream({
        pull(controller) {
          if (bytes > 0) controller.enqueue(CONTENT.slice(0, bytes));
          controller.error(new TypeError("connection reset"));
        },
      }),
    );
  const rest = (from: number, headers = {}) => {
    const sent = { "Content-Range": `bytes ${from}-15/16`, ...headers };
    return () => new Response(CONTENT.slice(from), { status: 206, headers: sent });
  };
  const ranges = (fetched: ReturnType<typeof serve>) =>
    fetched.mock.calls.map(([, { headers }]) => (headers as { Range?: string } | undefined)?.Range);

  test("a connection cut in the middle goes on from there", async () => {
    stallMs = 20;
    const fetched = serve(slowly(CONTENT.slice(0, 8)), rest(8));
    expect(await store().get("a.bin", abort.signal)).toEqual(CONTENT);
    expect(ranges(fetched)).toEqual([undefined, "bytes=8-"]);
    expect(last?.loaded).toBe(16);
  });

  /** Sends bytes, then nothing more. */
  function slowly(part: Bytes) {
    return ({ signal }: RequestInit) =>
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(part);
            signal?.addEventListener("abort", () => controller.error(signal.reason));
          },
        }),
      );
  }

  test("all bytes are enough, however the connection ends", async () => {
    stallMs = 20;
    const fetched = serve(slowly(CONTENT));
    expect(await store().get("a.bin", abort.signal)).toEqual(CONTENT);
    expect(fetched).toHaveBeenCalledTimes(1);
  });

  test.each([
    ["a server that sends the whole again", () => new Response(CONTENT), 2],
    ["a server that sends another part", rest(4), 3],
    ["a server that cannot", () => new Response("", { status: 416 }), 3],
  ])("%s starts the file over", async (_, answer, requests) => {
    stallMs = 20;
    const fetched = serve(slowly(CONTENT.slice(0, 8)), answer);
    expect(await store().get("a.bin", abort.signal)).toEqual(CONTENT);
    expect(fetched).toHaveBeenCalledTimes(requests);
    expect(last?.loaded).toBe(16);
  });

  test("pieces that do not fit together are all fetched again", async () => {
    stallMs = 20;
    const fetched = serve(slowly(damaged().slice(0, 8)), rest(8));
    expect(await store().get("a.bin", abort.signal)).toEqual(CONTENT);
    expect(ranges(fetched)).toEqual([undefined, "bytes=8-", undefined]);
  });

  test("nothing at all arriving ends a request", async () => {
    stallMs = 20;
    const silent = (_: unknown, { signal }: RequestInit) =>
      new Promise<Response>((_resolve, reject) => {
        signal?.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
      });
    const fetched = vi.fn(silent);
    vi.stubGlobal("fetch", fetched);
    await expect(store().get("a.bin", abort.signal)).rejects.toMatchObject({
      code: "network",
      message: expect.stringMatching(/nothing arrived/),
    });
    expect(fetched).toHaveBeenCalledTimes(5);
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
    expect(files.keeps).toBe(false);
  });

  test("a store that fails otherwise is noted by its error", async () => {
    serve();
    cache.write = async () => {
      throw new DOMException("", "InvalidStateError");
    };
    await store().get("a.bin", abort.signal);
    expect(notes).toEqual([expect.stringMatching(/did not keep.*InvalidStateError/)]);
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

  describe("with mirrors", () => {
    const asked = (fetched: ReturnType<typeof serve>) =>
      fetched.mock.calls.map(([url]) => url.host);

    test.each([
      ["404", () => new Response("", { status: 404 })],
      ["503", () => new Response("", { status: 503 })],
      ["a flipped byte", () => new Response(damaged())],
      ["a missing byte", () => new Response(CONTENT.slice(1))],
      ["a byte too many", () => new Response(new Uint8Array([...CONTENT, 0]))],
      ["a cut", cutAfter(0)],
    ])("%s sends it to the next at once", async (_, answer) => {
      const fetched = serve(answer);
      expect(await store(["a.bin"], "y.org/n").get("a.bin", abort.signal)).toEqual(CONTENT);
      expect(asked(fetched)).toEqual(["x.org", "y.org"]);
      expect(mirrors.remarks().map(({ note }) => note)).toEqual([
        expect.stringMatching(/^1 of 1 files came from the mirror y.org\/n \(x.org\/m: .+\)\.$/),
      ]);
    });

    test("one that failed is asked last for the next file", async () => {
      const fetched = serve(() => new Response("", { status: 404 }));
      const files = store(["a.bin", "b.bin"], "y.org/n");
      await files.get("a.bin", abort.signal);
      cache.stored.clear();
      await files.get("b.bin", abort.signal);
      expect(asked(fetched)).toEqual(["x.org", "y.org", "y.org"]);
    });

    test("the first alone is no news", async () => {
      serve();
      await store(["a.bin"], "y.org/n").get("a.bin", abort.signal);
      expect(mirrors.remarks()).toEqual([]);
    });

    test("all that fail are named", async () => {
      serve(
        () => new Response("", { status: 404 }),
        () => new Response("", { status: 403 }),
      );
      await expect(store(["a.bin"], "y.org/n").get("a.bin", abort.signal)).rejects.toMatchObject({
        code: "network",
        message: expect.stringMatching(/a\.bin.*2 addresses.*x\.org\/m.*404.*y\.org\/n.*403/),
      });
    });
  });

  describe("while the gate is closed", () => {
    test("a pause ends requests, and what has arrived is kept", async () => {
      const fetched = serve(slowly(CONTENT.slice(0, 8)), rest(8));
      const got = store().get("a.bin", abort.signal);
      await vi.waitFor(() => expect(last?.loaded).toBe(8));
      gate.pause();
      await vi.waitFor(() => expect(last?.waiting).toBe("paused"));
      expect(fetched).toHaveBeenCalledTimes(1);
      gate.resume();
      expect(await got).toEqual(CONTENT);
      expect(ranges(fetched)).toEqual([undefined, "bytes=8-"]);
    });

    test("what is kept is read all the same", async () => {
      cache.stored.set(hash(CONTENT), CONTENT);
      gate.pause();
      expect(await store().get("a.bin", abort.signal)).toEqual(CONTENT);
    });

    test("an abort ends a pause", async () => {
      gate.pause();
      const got = store().get("a.bin", abort.signal);
      await vi.waitFor(() => expect(last?.waiting).toBe("paused"));
      abort.abort();
      await expect(got).rejects.toMatchObject({ code: "aborted" });
    });

    test("a lost network is waited for, however often it fails", async () => {
      const fetched = serve(...Array.from({ length: 9 }, () => cut));
      const got = store().get("a.bin", abort.signal);
      network.navigator.onLine = false;
      for (let times = 1; times <= 9; times++) {
        await vi.waitFor(() => expect(last?.waiting).toBe("offline"));
        expect(fetched).toHaveBeenCalledTimes(times);
        network.dispatchEvent(new Event("online"));
        await vi.waitFor(() => expect(fetched).toHaveBeenCalledTimes(times + 1));
      }
      expect(await got).toEqual(CONTENT);
    });
  });

  describe("with another tab", () => {
    /** One file's lock at a time, as the browser has it. */
    function stubLocks() {
      let tail: Promise<unknown> | null = null;
      const request = async (...args: unknown[]) => {
        const work = args.at(-1) as (lock: object | null) => Promise<unknown>;
        const { ifAvailable = false } = args[1] as { ifAvailable?: boolean };
        if (ifAvailable && tail) return work(null);
        const before = tail;
        const mine = (async () => {
          await before;
          return work({});
        })();
        tail = mine.catch(() => {});
        return mine;
      };
      vi.stubGlobal("navigator", { locks: { request } });
    }

    test("a file is fetched once, and the tab that waited finds it kept", async () => {
      stubLocks();
      let answer: (response: Response) => void = () => {};
      const fetched = vi.fn(() => new Promise<Response>((resolve) => (answer = resolve)));
      vi.stubGlobal("fetch", fetched);
      const first = store().get("a.bin", abort.signal);
      await vi.waitFor(() => expect(fetched).toHaveBeenCalled());
      const second = store().get("a.bin", abort.signal);
      await vi.waitFor(() => expect(last?.waiting).toBe("tab"));
      answer(new Response(CONTENT));
      expect(await first).toEqual(CONTENT);
      expect(await second).toEqual(CONTENT);
      expect(fetched).toHaveBeenCalledTimes(1);
      expect(last).toMatchObject({ loaded: 16, cached: 16 });
    });

    test("a browser that refuses locks is no hindrance", async () => {
      const request = async () => {
        throw new DOMException("no locks here", "SecurityError");
      };
      vi.stubGlobal("navigator", { locks: { request } });
      serve();
      expect(await store().get("a.bin", abort.signal)).toEqual(CONTENT);
    });
  });
});
