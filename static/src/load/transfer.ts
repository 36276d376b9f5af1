/** One file on its way, over as many requests as that takes. */

import type { Bytes } from "./files";
import type { ProgressMeter } from "./progress";
import { retryAfter } from "./retry";
import { otherOrigin, unanswered } from "./unread";

const STALL_MS = 30_000; // without a byte
const WORTH_KEEPING = 64 * 1024; // new bytes that make a failure no reason to give up
const UNKNOWN = 64 * 1024; // to begin with, where the size is not known
const LARGEST_UNKNOWN = 64 * 2 ** 20;

/**
 * `again`: the network or the server failed, and may not fail the next time. `short`: the answer
 * ended early, and in good order. `missing`: the server does not have the file.
 * `content`: what arrived is something else.
 */
export class Failure extends Error {
  constructor(
    readonly kind: "again" | "short" | "missing" | "content",
    message: string,
    /** What the server asked for, in milliseconds. */
    readonly waitMs = 0,
    /** The server's, where it answered with an error. */
    readonly status?: number,
    /** Another origin than the page's, of which no answer could be read. */
    readonly origin?: string,
  ) {
    super(message);
  }
}

/**
 * Bytes go from the network into one buffer of the file's size. After a failure the next request
 * asks for the rest alone, where the server can do that.
 */
export class Transfer {
  private buffer: Bytes | null = null;
  private length = 0;
  /** The most there ever was: what comes a second time is no progress. */
  private furthest = 0;
  /** Requests that what is here came from. */
  private requests = 0;
  /** Whether pieces may come from several requests: once they did not fit together, never again. */
  private resumes = true;

  constructor(
    /** Null: not known beforehand. */
    private readonly expected: number | null,
    private readonly meter: ProgressMeter,
    private readonly stallMs = STALL_MS,
  ) {}

  /** Fetches what is missing; throws a Failure, or whatever it was aborted with. */
  async attempt(address: URL, cache: RequestCache, signal: AbortSignal): Promise<void> {
    const stall = new Stall(this.stallMs);
    const done = this.meter.transfer();
    const init: RequestInit = { cache, signal: AbortSignal.any([signal, stall.signal]) };
    if (!this.resumes) this.restart();
    if (this.length > 0) init.headers = { Range: `bytes=${this.length}-` };
    this.buffer ??= new Uint8Array(this.expected ?? UNKNOWN);
    let answered = false;
    try {
      const response = await fetch(address, init);
      answered = true;
      await this.receive(this.bodyOf(response), stall);
    } catch (error) {
      if (error instanceof Failure || signal.aborted) throw error;
      // All of it is here, and the hash decides: how the connection ended is no matter.
      if (this.length > 0 && this.length === this.expected) return;
      const silent = `nothing arrived for ${this.stallMs / 1000} seconds`;
      if (stall.signal.aborted) throw new Failure("again", silent);
      if (answered) throw new Failure("again", String(error));
      const unread = unanswered(address, error);
      throw new Failure("again", unread, 0, undefined, otherOrigin(address));
    } finally {
      stall.end();
      done();
    }
  }

  /** The whole file, after an attempt that threw nothing. */
  get bytes(): Bytes {
    return (this.buffer as Bytes).subarray(0, this.length);
  }

  /** Whether the last attempts brought enough to go on for; says yes once for the same bytes. */
  progressed(): boolean {
    const enough = this.length >= this.furthest + WORTH_KEEPING;
    if (enough) this.furthest = this.length;
    return enough;
  }

  /** It is not the right file. Pieces of several answers need not have fitted together. */
  refuse(problem: string): Failure {
    const kind = this.requests > 1 ? "again" : "content";
    if (this.requests > 1) this.resumes = false;
    this.restart();
    return new Failure(kind, problem);
  }

  restart(): void {
    this.meter.addNetwork(-this.length);
    this.length = 0;
    this.requests = 0;
  }

  private bodyOf(response: Response): ReadableStream<Bytes> {
    const { status, body, headers } = response;
    if (headers.get("Content-Type")?.startsWith("text/html")) {
      body?.cancel().catch(() => {});
      const kind = status >= 500 ? "again" : "missing";
      throw new Failure(kind, `a web page came (HTTP ${status})`, 0, status);
    }
    const rest = this.length > 0 && status === 206 && this.continues(headers);
    if (body && (rest || status === 200)) {
      if (!rest) this.restart();
      this.requests += 1;
      return body;
    }
    body?.cancel().catch(() => {});
    if (status === 206 || status === 416) {
      this.restart();
      throw new Failure("again", "the server sent another part than was asked for");
    }
    const passing = status >= 500 || [408, 425, 429].includes(status);
    const wait = retryAfter(headers.get("Retry-After"));
    throw new Failure(passing ? "again" : "missing", `the server answered ${status}`, wait, status);
  }

  /** Servers on other origins need not tell what they sent; the hash will. */
  private continues(headers: Headers): boolean {
    const range = headers.get("Content-Range");
    return range === null || range.startsWith(`bytes ${this.length}-`);
  }

  private async receive(body: ReadableStream<Bytes>, stall: Stall): Promise<void> {
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      stall.reset();
      if (!this.add(value)) {
        reader.cancel().catch(() => {});
        throw this.refuse("it is longer than the manifest says");
      }
    }
    if (this.expected !== null && this.length < this.expected) {
      const ended = `it ended after ${this.length} of ${this.expected} bytes`;
      this.restart(); // it ended in good order: this may be another file, or all there is of it
      throw new Failure("short", ended);
    }
  }

  /** False when there is no room for it. */
  private add(part: Bytes): boolean {
    const end = this.length + part.length;
    if (this.expected === null && end <= LARGEST_UNKNOWN) this.grow(end);
    const buffer = this.buffer as Bytes;
    if (end > buffer.length) return false;
    buffer.set(part, this.length);
    this.length = end;
    this.meter.addNetwork(part.length);
    return true;
  }

  private grow(bytes: number): void {
    const old = this.buffer as Bytes;
    if (bytes <= old.length) return;
    this.buffer = new Uint8Array(Math.max(bytes, 2 * old.length));
    this.buffer.set(old);
  }
}

/** Ends a request that has gone silent. */
class Stall {
  private readonly controller = new AbortController();
  private timer: ReturnType<typeof setTimeout>;

  constructor(private readonly milliseconds: number) {
    this.timer = this.start();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  reset(): void {
    clearTimeout(this.timer);
    this.timer = this.start();
  }

  end(): void {
    clearTimeout(this.timer);
  }

  private start() {
    return setTimeout(() => this.controller.abort(), this.milliseconds);
  }
}
