/** The header's list of the site's models. */

import { element, find } from "./dom";
import { type Model, slug } from "./models";

/** Choosing another model opens the page anew, with that model in its address. */
export function offerModels(all: Model[], chosen: Model): void {
  const models = all.filter((model) => !model.embeds || model === chosen);
  const select = find("model-select", HTMLSelectElement);
  select.hidden = models.length < 2;
  select.replaceChildren(
    ...models.map((model) =>
      element("option", { text: model.name, attributes: { value: slug(model) } }),
    ),
  );
  select.value = slug(chosen);
  select.onchange = () => {
    const model = models.find((each) => slug(each) === select.value);
    if (model) openModel(model);
  };
}

/** Opens the page anew with this model; the conversation stays. `load` starts its download. */
export function openModel(model: Model, load = false): void {
  const address = new URL(location.href);
  address.searchParams.set("model", slug(model));
  if (load) address.searchParams.set("autoload", "");
  // An address that differs in its fragment alone would not be loaded.
  if (address.href === location.href) location.reload();
  else location.assign(address);
}
