const TARGET_MS = 50; // of work queued: enough to hide readback, little to waste at a stop
const SMOOTHING = 0.3; // weight of the newest step's time

/** How many decode steps to keep under way, from how fast their tokens arrive. */
export class DepthTuner {
  value = 1;
  private average: number | null = null;
  private last: number;

  constructor(
    private readonly max: number,
    private readonly now: () => number,
  ) {
    this.last = now();
  }

  /** A token came back. */
  arrived(): void {
    const time = this.now();
    const taken = time - this.last;
    this.last = time;
    this.average =
      this.average === null ? taken : this.average + SMOOTHING * (taken - this.average);
    const wanted = Math.ceil(TARGET_MS / Math.max(this.average, 1));
    this.value = Math.max(1, Math.min(this.max, wanted));
  }
}
