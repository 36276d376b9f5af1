/** Which way the model runs and why, as the start card and the device panel show it. */

import { element } from "./dom";
import type { Line, Offer } from "./ladder";
import { sentence } from "./notice";
import type { Way } from "./wish";

export type OnWay = (way: Way) => void;

interface Parts {
  good: boolean;
  title: string;
  lines: Line[];
}

export function explanation({ good, title, lines }: Parts, onWay: OnWay): HTMLElement {
  const items = lines.map(({ text, offer }) =>
    element("li", {
      children: [sentence(text), ...(offer ? [offerButton(offer, onWay)] : [])],
    }),
  );
  const verdict = element("p", {
    class: good ? "verdict good" : "verdict bad",
    testid: "verdict",
    text: title,
  });
  const why = element("ul", { class: "why", testid: "why", children: items });
  return element("div", {
    class: "explanation",
    children: items.length > 0 ? [verdict, why] : [verdict],
  });
}

function offerButton({ label, testid, way }: Offer, onWay: OnWay): HTMLButtonElement {
  const button = element("button", {
    class: "button quiet small",
    text: label,
    testid,
    attributes: { type: "button" },
  });
  button.addEventListener("click", () => onWay(way));
  return button;
}
