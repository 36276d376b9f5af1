import type { Progress } from "../engine/api";

const INTERVAL_MS = 100; // between reports: a progress bar needs no more
const RATE_WINDOW_MS = 3000;

/** Adds up what was loaded and reports it, at most ten times a second. */
export class ProgressMeter {
  private phase: Progress["phase"] = "manifest";
  private total = 0;
  private loaded = 0;
  private cached = 0;
  private pipelines = 0;
  private pipelinesTotal = 0;
  private lastReport = Number.NEGATIVE_INFINITY;
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

  /** How many bytes there will be; some may have arrived. */
  expect(total: number): void {
    this.total = total;
  }

  /** Another `total` bytes and pipelines begin, of which `kept` bytes are already here. */
  restart(total: number, kept = 0): void {
    this.total = total;
    this.loaded = kept;
    this.cached = kept;
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

  setPipelineTotal(count: number): void {
    this.pipelinesTotal = count;
  }

  addPipeline(): void {
    this.pipelines += 1;
    this.tick();
  }

  private tick(): void {
    if (this.now() - this.lastReport >= INTERVAL_MS) this.send();
  }

  private send(): void {
    const time = this.now();
    this.lastReport = time;
    const { phase, loaded, total, cached, pipelines, pipelinesTotal } = this;
    const progress: Progress = { phase, loaded, total, cached, pipelines, pipelinesTotal };
    const rate = this.rate(time);
    if (rate > 0 && phase === "download") {
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
