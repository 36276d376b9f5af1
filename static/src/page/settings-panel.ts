/** The settings panel: fields made from the table in settings.ts, checked as they are typed. */

import { element, find } from "./dom";
import { RunOnField, type RunOnState } from "./run-on";
import {
  defaults,
  parseSettings,
  readNumber,
  SETTINGS,
  type Setting,
  type Settings,
} from "./settings";
import { local } from "./storage";
import { words } from "./words";

const STORE = "webkiln.settings";

/** Ranges worth a slider; the others are typed. */
const LARGEST_SLIDER = 2;

export interface SettingsEvents {
  changed(): void;
  /** The system prompt was changed: true if it is that of the conversation which is open. */
  instructed(system: string): boolean;
  /** "Run on" was set; `showRunOn` is expected to be called. */
  runOn(): void;
  /** The loaded model is to be loaded anew, as "Run on" says. */
  reload(): void;
}

export class SettingsPanel {
  readonly value: Settings;
  /** The system prompt of new conversations; an older one has its own. */
  private ownSystem: string;
  private readonly dialog = find("settings-dialog", HTMLDialogElement);
  private readonly fields = find("settings-fields", HTMLElement);
  private readonly system = find("system-prompt", HTMLTextAreaElement);

  private readonly runOn = new RunOnField(
    (runOn) => {
      this.value.runOn = runOn;
      this.save();
      this.events.runOn();
    },
    () => {
      this.dialog.close();
      this.events.reload();
    },
  );

  constructor(private readonly events: SettingsEvents) {
    this.value = parseSettings(local.read(STORE));
    this.ownSystem = this.value.system;
    find("settings", HTMLButtonElement).addEventListener("click", () => this.dialog.showModal());
    find("settings-reset", HTMLButtonElement).addEventListener("click", () => this.reset());
    this.system.addEventListener("input", () => {
      this.value.system = this.system.value;
      if (!this.events.instructed(this.system.value)) this.ownSystem = this.system.value;
      this.save();
    });
    this.draw();
  }

  private reset(): void {
    const { runOn } = this.value;
    Object.assign(this.value, defaults());
    this.ownSystem = this.value.system;
    this.events.instructed(this.value.system);
    this.draw();
    this.save();
    if (runOn !== this.value.runOn) this.events.runOn();
  }

  /** The system prompt of the conversation that is open; null: a new one, with the person's own. */
  useSystem(system: string | null): void {
    this.value.system = system ?? this.ownSystem;
    this.system.value = this.value.system;
  }

  showRunOn(state: RunOnState): void {
    this.runOn.show(this.value.runOn, state);
  }

  private draw(): void {
    this.system.value = this.value.system;
    this.fields.replaceChildren(...SETTINGS.map((setting) => this.field(setting)));
  }

  private field(setting: Setting): HTMLElement {
    const id = `setting-${setting.name}`;
    const { label: name, help: told } = words.numbers[setting.name];
    const current = this.value.numbers[setting.name];
    const number = element("input", {
      testid: id,
      attributes: {
        id,
        inputmode: "decimal",
        autocomplete: "off",
        value: current === null ? "" : String(current),
        "aria-describedby": `${id}-help`,
        placeholder: setting.initial === null ? words.settings.none : "",
      },
    });
    const help = element("p", {
      class: "help",
      text: told,
      attributes: { id: `${id}-help` },
    });
    const slider = setting.max <= LARGEST_SLIDER ? this.slider(setting, current) : null;
    const take = (text: string) => {
      const problem = this.take(setting, text);
      number.setAttribute("aria-invalid", String(problem !== null));
      help.textContent = problem ?? told;
      if (slider && problem === null) slider.value = text;
    };
    number.addEventListener("input", () => take(number.value));
    slider?.addEventListener("input", () => {
      number.value = slider.value;
      take(slider.value);
    });
    const label = element("label", { text: name, attributes: { for: id } });
    const row = element("div", { class: "field-row", children: [label, number] });
    return element("div", { class: "field", children: [row, ...(slider ? [slider] : []), help] });
  }

  private slider(setting: Setting, current: number | null): HTMLInputElement {
    const { min, max, step } = setting;
    const { label } = words.numbers[setting.name];
    return element("input", {
      attributes: {
        type: "range",
        min: String(min),
        max: String(max),
        step: String(step),
        value: String(current),
        "aria-label": words.settings.slider(label),
      },
    });
  }

  /** Keeps a valid number; of an invalid one only the sentence that says why. */
  private take(setting: Setting, text: string): string | null {
    const read = readNumber(setting, text);
    if (typeof read === "string") return read;
    this.value.numbers[setting.name] = read.value;
    this.save();
    return null;
  }

  private save(): void {
    local.write(STORE, JSON.stringify({ ...this.value, system: this.ownSystem }));
    this.events.changed();
  }
}
