/** Strict readers for parsed JSON: what the schema does not name is refused, with its path. */

/** Checks `value` (found at `path`) and returns it with its type, or throws a Mismatch. */
export type Reader<T> = (value: unknown, path: string) => T;

export class Mismatch extends Error {
  constructor(path: string, expected: string, value: unknown) {
    const found = JSON.stringify(value) ?? "missing";
    super(`${path || "top level"}: expected ${expected}, found ${found.slice(0, 80)}`);
  }
}

function at(path: string, key: string | number): string {
  return path === "" ? String(key) : `${path}.${key}`;
}

export const text: Reader<string> = (value, path) => {
  if (typeof value !== "string") throw new Mismatch(path, "a string", value);
  return value;
};

export const flag: Reader<boolean> = (value, path) => {
  if (typeof value !== "boolean") throw new Mismatch(path, "true or false", value);
  return value;
};

export const real: Reader<number> = (value, path) => {
  if (typeof value !== "number") throw new Mismatch(path, "a number", value);
  return value;
};

/** A whole number from 0 up: sizes, offsets, indices, ids. */
export const whole: Reader<number> = (value, path) => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw new Mismatch(path, "a whole number from 0 up", value);
  }
  return value as number;
};

export function oneOf<const T extends string | number>(...allowed: T[]): Reader<T> {
  return (value, path) => {
    const match = allowed.find((item) => item === value);
    if (match === undefined) throw new Mismatch(path, `one of ${allowed.join(", ")}`, value);
    return match;
  };
}

export function nullable<T>(read: Reader<T>): Reader<T | null> {
  return (value, path) => (value === null ? null : read(value, path));
}

export function list<T>(read: Reader<T>): Reader<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new Mismatch(path, "a list", value);
    return value.map((item: unknown, index) => read(item, at(path, index)));
  };
}

function entries(value: unknown, path: string): [string, unknown][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Mismatch(path, "an object", value);
  }
  return Object.entries(value);
}

export function dictionary<T>(read: Reader<T>): Reader<Record<string, T>> {
  return (value, path) =>
    Object.fromEntries(entries(value, path).map(([key, item]) => [key, read(item, at(path, key))]));
}

/** An object with exactly these keys. The mapped type makes the compiler notice schema changes. */
export function record<T extends object>(fields: { [K in keyof T]-?: Reader<T[K]> }): Reader<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return (value, path) => {
    const found = new Map(entries(value, path));
    for (const key of found.keys()) {
      if (!Object.hasOwn(fields, key))
        throw new Mismatch(at(path, key), "no such key", found.get(key));
    }
    const result: Partial<T> = {};
    for (const name of names) result[name] = fields[name](found.get(name), at(path, name));
    return result as T;
  };
}
