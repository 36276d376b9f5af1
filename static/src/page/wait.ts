/**
 * Runs before anything is painted: unless English comes first, the page shows nothing until
 * main.ts has put its words in. (base.css shows it after a moment all the same.)
 */

import { languageWishes } from "./language";

const [first = "en"] = languageWishes();
if (!/^en\b/i.test(first)) document.documentElement.dataset.wait = "";
