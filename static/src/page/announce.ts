/** Cuts a growing answer into pieces a screen reader can speak. */

/** Where the last complete sentence or line after `from` ends; `from` if there is none. */
export function sentenceEnd(text: string, from: number): number {
  const ends = [...text.slice(from).matchAll(/[.!?…:](?=\s)|\n|[。！？]/g)];
  const last = ends.at(-1);
  return last === undefined ? from : from + last.index + last[0].length;
}
