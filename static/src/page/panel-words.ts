/** Texts of panels that arrive when they are asked for: only such panels may import this. */

import { panelWords } from "./words";

export const panels = await panelWords();
