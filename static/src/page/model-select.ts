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
    const address = new URL(location.href);
    address.searchParams.set("model", select.value);
    location.assign(address);
  };
}
