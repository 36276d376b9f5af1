/** How fast an answer came. */

/**
 * Tokens a second, from the first token to the last: between n tokens lie n - 1 intervals. Null
 * where there was nothing to measure: one token, or less time than the clock knows.
 */
export function tokensPerSecond(tokens: number, seconds: number): number | null {
  return tokens > 1 && seconds > 0 ? (tokens - 1) / seconds : null;
}
