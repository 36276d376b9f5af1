/** The start card: which model, what this device can do, and the way to loading it. */

import { checked } from "./device";
import { element, find } from "./dom";
import type { CapabilityReport, Progress } from "./engine";
import { explanation, type OnWay } from "./explanation";
import type { Model } from "./models";
import { verdict } from "./verdict";
import type { Wish } from "./wish";
import { words } from "./words";

export class StartCard {
  private readonly name = find("model-name", HTMLElement);
  private readonly size = find("model-size", HTMLElement);
  private readonly device = find("device", HTMLElement);
  private readonly button = find("load", HTMLButtonElement);
  private readonly progress = find("progress", HTMLElement);
  private readonly bar = find("progress-bar", HTMLProgressElement);
  private readonly text = find("progress-text", HTMLElement);
  private readonly pause = find("pause", HTMLButtonElement);
  private readonly cancel = find("cancel", HTMLButtonElement);

  /** `onPause` pauses or resumes, and tells whether the download is paused then. */
  constructor(onLoad: () => void, onPause: () => boolean, onCancel: () => void) {
    this.button.addEventListener("click", onLoad);
    this.pause.addEventListener("click", () => this.showPaused(onPause()));
    this.cancel.addEventListener("click", onCancel);
  }

  showModel(model: Model, known: boolean): void {
    this.name.textContent = model.name;
    const { size, sizeKept, start, load } = words.start;
    this.size.textContent = (known ? sizeKept : size)(model.bytes);
    this.button.textContent = known ? start : load;
  }

  showChecking(): void {
    this.button.disabled = true;
    this.device.replaceChildren(element("p", { class: "muted", text: words.start.checking }));
  }

  /** The outcome of the capability check; `copied` makes the text to copy. */
  showReport(report: CapabilityReport, wish: Wish, onWay: OnWay, copied: () => string): void {
    const { usable, title, lines, hint } = verdict(report, wish);
    this.button.disabled = !usable;
    this.device.replaceChildren(
      explanation({ good: usable, title, lines }, onWay),
      ...(hint === "" ? [] : [element("p", { class: "muted", text: hint })]),
      checked(report, null, copied),
    );
  }

  /** No check was possible; the notice says why. */
  showUnchecked(): void {
    this.device.replaceChildren();
    this.button.disabled = true;
  }

  /** After the button that had the focus is gone. */
  takeFocus(): void {
    if (document.activeElement === document.body) this.button.focus();
  }

  showLoading(loading: boolean): void {
    this.button.hidden = loading;
    this.progress.hidden = !loading;
    this.pause.hidden = true;
    if (!loading) return;
    this.showPaused(false);
    this.bar.removeAttribute("value");
    this.text.textContent = words.progress.starting;
  }

  showProgress(progress: Progress): void {
    const share = progressShare(progress);
    if (share === null) this.bar.removeAttribute("value");
    else this.bar.value = share;
    this.text.textContent = progressText(progress);
    this.pause.hidden = progress.phase !== "download" || progress.loaded === progress.total;
  }

  private showPaused(paused: boolean): void {
    const { pause, resume } = words.progress;
    this.pause.textContent = paused ? resume : pause;
  }
}

/** Of the whole: bytes are nine tenths, pipelines the last one. Null before sizes are known. */
export function progressShare(progress: Progress): number | null {
  if (progress.phase === "ready") return 1;
  if (progress.total === 0) return null;
  const pipelines = progress.pipelinesTotal ? progress.pipelines / progress.pipelinesTotal : 0;
  return (0.9 * progress.loaded) / progress.total + 0.1 * pipelines;
}

export function progressText(progress: Progress): string {
  const { reading, ready, loaded, cached, rate, left, kernels, compiling } = words.progress;
  if (progress.phase === "manifest" || progress.total === 0) {
    return progress.waiting ? words.progress.waiting[progress.waiting] : reading;
  }
  if (progress.phase === "ready") return ready;
  const parts = [loaded(progress.loaded, progress.total)];
  if (progress.cached > 0) parts.push(cached(progress.cached));
  if (progress.waiting) parts.push(words.progress.waiting[progress.waiting]);
  else if (progress.loaded < progress.total) {
    if (progress.rate !== undefined) parts.push(rate(Math.round(progress.rate)));
    if (progress.secondsLeft !== undefined) parts.push(left(progress.secondsLeft));
  }
  // WebAssembly has one module to compile: no count worth showing.
  if (progress.pipelinesTotal > 1) {
    parts.push(kernels(progress.pipelines, progress.pipelinesTotal));
  } else if (progress.phase === "compile") parts.push(compiling);
  return parts.join(" · ");
}
