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

/**
 * The page's address with another model. Context and variant were asked of the one before: the new
 * one may have been made for less, and without that variant.
 */
export function modelAddress(page: string, model: Model, load: boolean): URL {
  const address = new URL(page);
  const { searchParams } = address;
  for (const name of ["context", "variant"]) searchParams.delete(name);
  searchParams.set("model", slug(model));
  if (load) searchParams.set("autoload", "");
  return address;
}

/** Opens the page anew with another model; the conversation stays. `load` starts its download. */
export function openModel(model: Model, load = false): void {
  const address = modelAddress(location.href, model, load);
  // An address that differs in its fragment alone would not be loaded.
  if (address.href === location.href) location.reload();
  else location.assign(address);
}
