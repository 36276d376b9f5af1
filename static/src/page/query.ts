/** What the page's address asks for: `?model=`, `?variant=`, `?context=`, `?autoload`. */

export interface Query {
  model?: string;
  variant?: string;
  context?: number;
  autoload: boolean;
  /** What could not be understood, in plain words. */
  problems: string[];
}

export function parseQuery(search: string): Query {
  const parameters = new URLSearchParams(search);
  const query: Query = { autoload: parameters.has("autoload"), problems: [] };
  const model = parameters.get("model");
  if (model) query.model = model;
  const variant = parameters.get("variant");
  if (variant) query.variant = variant;
  const context = parameters.get("context");
  if (context !== null) {
    if (/^[1-9]\d{0,8}$/.test(context)) query.context = Number(context);
    else query.problems.push(`context=${context} is not a whole number of tokens; it is left out.`);
  }
  return query;
}
