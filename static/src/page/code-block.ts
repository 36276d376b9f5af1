/** Blocks of code in an answer: a button that copies them, and colours once they are whole. */

import { copyOnClick } from "./copy-button";
import { element, iconButton } from "./dom";
import { words } from "./words";

/** Longer than this, colours would take more time than they are worth. */
const LARGEST = 50_000; // characters

/** Puts a block into a box with a button that copies it. */
export function codeBox(block: HTMLPreElement): void {
  const button = iconButton("copy", words.chat.copyCode, "copy-code");
  copyOnClick(button, () => block.querySelector("code")?.textContent ?? "");
  const box = element("div", { class: "code-box" });
  block.replaceWith(box);
  // Code that is wider than the page scrolls, by keys too.
  block.tabIndex = 0;
  box.append(block, button);
}

/** Colours the blocks in `root` when the browser has time; the colours' code comes with the first. */
export function highlightCode(root: HTMLElement): void {
  for (const code of root.querySelectorAll<HTMLElement>("pre > code[class]")) {
    const language = code.className.replace("language-", "");
    const text = code.textContent ?? "";
    if (text.length > LARGEST) continue;
    void colours(text, language).then((coloured) => coloured && code.replaceChildren(coloured));
  }
}

async function colours(text: string, language: string): Promise<DocumentFragment | null> {
  try {
    const { highlight } = await import("./highlight");
    await idle();
    return highlight(text, language);
  } catch {
    return null; // not at hand: code is as readable without
  }
}

function idle(): Promise<void> {
  return new Promise((resolve) => {
    // Safari has no idle callbacks.
    if ("requestIdleCallback" in globalThis) requestIdleCallback(() => resolve());
    else setTimeout(resolve);
  });
}
