/** A person's hold on a model's download. */

/**
 * Pauses, resumes and cancels what `createEngine({ model, download })` fetches:
 *
 * ```js
 * const download = new Download();
 * const loading = createEngine({ model: "/models/smollm2-135m-instruct/", download });
 * download.pause(); // what has arrived stays; other tabs may go on
 * download.resume();
 * download.cancel(); // `loading` throws `aborted`
 * ```
 */
export class Download {
  private readonly controller = new AbortController();
  private readonly followers: ((paused: boolean) => void)[] = [];
  private isPaused = false;

  get paused(): boolean {
    return this.isPaused;
  }

  /** Aborts when the download is cancelled; it is of no use afterwards. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  pause(): void {
    this.set(true);
  }

  resume(): void {
    this.set(false);
  }

  cancel(): void {
    this.controller.abort();
  }

  /** For the engine: called when it is paused or resumed, and now if it is paused. */
  follow(follower: (paused: boolean) => void): void {
    this.followers.push(follower);
    if (this.isPaused) follower(true);
  }

  private set(paused: boolean): void {
    if (paused === this.isPaused) return;
    this.isPaused = paused;
    for (const follower of this.followers) follower(paused);
  }
}
