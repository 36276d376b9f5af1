/** The setting "Language": another one opens the page anew. */

import { element, find } from "./dom";
import { languageSet, setLanguage } from "./language";
import { languages } from "./words";

export function offerLanguages(): void {
  const select = find("language", HTMLSelectElement);
  select.append(
    ...languages.map(({ code, name }) =>
      element("option", { text: name, attributes: { value: code, lang: code } }),
    ),
  );
  select.value = languageSet();
  select.addEventListener("change", () => {
    setLanguage(select.value);
    location.reload();
  });
}
