/**
 * Where the model runs: what was asked for, and what came of it; on the chip and in its panel, on
 * the strip above the message box, and in the settings.
 */

import { ChangeStrip } from "./change-strip";
import { toJson } from "./copy-report";
import { DevicePanel } from "./device";
import type { EngineInfo, Trouble } from "./engine";
import { change, stepDown } from "./ladder";
import type { Loader } from "./loader";
import type { Action } from "./notice";
import type { Query } from "./query";
import type { SettingsPanel } from "./settings-panel";
import { processorMayDo, standingOf } from "./trouble";
import { type Asked, asked, decide, type Way, type Wish } from "./wish";
import { words } from "./words";

/** The rest of the page. */
export interface Surroundings {
  query: Query;
  settings: SettingsPanel;
  loader(): Loader | null;
  /** A button of the panel asks for a way of running. */
  chosen(way: Way): void;
}

export class Placement {
  private readonly device: DevicePanel;
  private readonly strip: ChangeStrip;
  /** A way of running that a button on this visit asked for: it goes before address and setting. */
  private click: Way | null = null;
  private loaded: { info: EngineInfo; wish: Wish } | null = null;

  constructor(private readonly page: Surroundings) {
    const chosen = (way: Way) => page.chosen(way);
    this.device = new DevicePanel(chosen, () => this.findings());
    this.strip = new ChangeStrip(() => this.device.open());
  }

  get isLoaded(): boolean {
    return this.loaded !== null;
  }

  get wish(): Wish {
    const { query, settings } = this.page;
    return decide(query, settings.value.runOn, this.click);
  }

  /** `another`: of a model that is not the page's. */
  asked(another: boolean): Asked {
    const { query, settings } = this.page;
    return asked(query, settings.value.runOn, this.click, another);
  }

  /** Null: nothing was asked for by a button. */
  ask(way: Way | null): void {
    this.click = way;
    this.showSetting();
  }

  showSetting(): void {
    const { wish, loaded } = this;
    this.page.settings.showRunOn({ wish, loaded });
  }

  /** Another load begins. */
  clear(): void {
    this.strip.clear();
    this.device.clear();
    this.loaded = null;
  }

  /** The model is loaded, as `wish` asked or not. */
  begin(info: EngineInfo, wish: Wish): void {
    this.loaded = { info, wish };
    this.show(this.loaded);
    const fall = stepDown(this.page.loader()?.report ?? info.report, info);
    if (fall) this.strip.show(fall.title, fall.lines);
  }

  /** The engine goes on in another way; the answer under way is none the wiser. */
  changed(info: EngineInfo): void {
    if (!this.loaded) return; // still loading: what counts is how that ends
    const { title, lines } = change(this.loaded.info, info);
    this.loaded.info = info;
    this.show(this.loaded);
    this.strip.show(title, lines);
  }

  /** What "Copy as JSON" copies. */
  findings(): string {
    const { loaded } = this;
    const loader = this.page.loader();
    const report = loaded?.info.report ?? loader?.report;
    if (!loader || !report) return "";
    const wish = loaded?.wish ?? this.wish;
    const found = { model: loader.model.name, wish, report, info: loaded?.info };
    return toJson(found, navigator.userAgent);
  }

  /** The processor, where a fault of the graphics card left it untried. */
  elsewhere(trouble: Trouble, load: () => void): Action[] {
    const { info, wish } = this.loaded ?? { info: null, wish: this.wish };
    const standing = standingOf(info, this.page.loader()?.report ?? null, wish);
    if (!standing || !processorMayDo(trouble, standing)) return [];
    const run = () => {
      this.click = { backend: "wasm" };
      load();
    };
    return [{ label: words.trouble.onProcessor, testid: "load-wasm", run }];
  }

  private show({ info, wish }: { info: EngineInfo; wish: Wish }): void {
    this.device.show(info, wish);
    this.showSetting();
  }
}
