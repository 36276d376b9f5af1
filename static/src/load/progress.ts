import type { Progress } from "../engine/api";

type Waiting = NonNullable<Progress["waiting"]>;

const INTERVAL_MS = 100; // between reports: a progress bar needs no more
const RATE_WINDOW_MS = 3000;
const QUIET_MS = 1000; // after which it is told again that nothing comes: the rate falls
/** What is told first, where several files wait for different things. */
const URGENCY: Waiting[] = ["paused", "offline", "retry", "tab"];

/** Adds up what was loaded and reports it, at most ten times a second. */
export class ProgressMeter {
  private phase: Progress["phase"] = "manifest";
  private total = 0;
  private loaded = 0;
  private cached = 0;
  private kept = 0;
  private transfers = 0;
  private readonly waits: Waiting[] = [];
  private pipelines = 0;
  private pipelinesTotal = 0;
  private lastReport = Number.NEGATIVE_INFINITY;
  /** The next report, should nothing happen before. */
  private later: ReturnType<typeof setTimeout> | undefined;
  /** [time, network bytes so far]: enough of the recent past for a rate. */
  private samples: [number, number][] = [];

  constructor(
    private readonly report: (progress: Progress) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  setPhase(phase: Progress["phase"]): void {
    this.phase = phase;
    this.send();
  }

  get expected(): number {
    return this.total;
  }

  /** How many bytes there will be, and how many of them this browser has; some may have arrived. */
  expect(total: number, kept: number): void {
    this.total = total;
    this.kept = kept;
  }

  /** Another `total` bytes and pipelines begin, of which `loaded` bytes are already in memory. */
  restart(total: number, kept: number, loaded: number): void {
    this.expect(total, kept);
    this.loaded = loaded;
    this.cached = loaded;
    this.pipelines = 0;
    this.pipelinesTotal = 0;
    this.samples = [];
  }

  /** Bytes that arrived; negative when a file is given up and fetched again. */
  addNetwork(bytes: number): void {
    this.loaded += bytes;
    this.tick();
  }

  addCached(bytes: number): void {
    this.loaded += bytes;
    this.cached += bytes;
    this.tick();
  }

  /** A request is under way until what this returns is called. */
  transfer(): () => void {
    this.transfers += 1;
    this.tick();
    return once(() => {
      this.transfers -= 1;
    });
  }

  /** A file waits until what this returns is called. It is told while no other file arrives. */
  wait(reason: Waiting): () => void {
    this.waits.push(reason);
    if (this.transfers === 0) this.send();
    return once(() => {
      this.waits.splice(this.waits.indexOf(reason), 1);
      this.tick();
    });
  }

  setPipelineTotal(count: number): void {
    this.pipelinesTotal = count;
  }

  addPipeline(): void {
    this.pipelines += 1;
    this.tick();
  }

  private tick(): void {
    const passed = this.now() - this.lastReport;
    if (passed >= INTERVAL_MS) this.send();
    else this.sendIn(INTERVAL_MS - passed);
  }

  private sendIn(ms: number): void {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.send(), ms);
  }

  private send(): void {
    const time = this.now();
    this.lastReport = time;
    clearTimeout(this.later);
    if (this.transfers > 0) this.sendIn(QUIET_MS);
    const { phase, loaded, total, cached, kept, pipelines, pipelinesTotal } = this;
    const progress: Progress = { phase, loaded, total, cached, kept, pipelines, pipelinesTotal };
    const waiting =
      this.transfers > 0 ? undefined : URGENCY.find((one) => this.waits.includes(one));
    if (waiting) progress.waiting = waiting;
    const rate = this.rate(time);
    if (rate > 0 && phase === "download" && !waiting) {
      progress.rate = rate;
      progress.secondsLeft = (total - loaded) / rate;
    }
    this.report(progress);
  }

  private rate(time: number): number {
    const network = this.loaded - this.cached;
    this.samples.push([time, network]);
    while (this.samples.length > 2 && time - (this.samples[0]?.[0] ?? time) > RATE_WINDOW_MS) {
      this.samples.shift();
    }
    const [start, before] = this.samples[0] ?? [time, network];
    return time > start ? ((network - before) * 1000) / (time - start) : 0;
  }
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}
