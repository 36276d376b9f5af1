/** Numbers, sizes and times as a language writes them. Decimal units, as disks and networks use. */

type Forms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

const SIZES = [
  ["gigabyte", 1e9],
  ["megabyte", 1e6],
  ["kilobyte", 1e3],
] as const;

/** Formats are made once: making one takes longer than using it, and speeds change all the time. */
function kept(make: (options: Intl.NumberFormatOptions) => Intl.NumberFormat) {
  const made = new Map<string, Intl.NumberFormat>();
  return (options: Intl.NumberFormatOptions): Intl.NumberFormat => {
    const key = JSON.stringify(options);
    const format = made.get(key) ?? make(options);
    made.set(key, format);
    return format;
  };
}

function fixed(digits: number): Intl.NumberFormatOptions {
  return { minimumFractionDigits: digits, maximumFractionDigits: digits };
}

/** The figures of one language: `figures("fr").bytes(94.4e6)` is "94,4 Mo". */
export function figures(locale: string) {
  const rules = new Intl.PluralRules(locale);
  const format = kept((options) => new Intl.NumberFormat(locale, options));
  const number = (value: number, digits = 0) => format(fixed(digits)).format(value);
  const unit = (value: number, name: string, digits = 0, unitDisplay: "short" | "long" = "short") =>
    format({ style: "unit", unit: name, unitDisplay, ...fixed(digits) }).format(value);
  const sized = (count: number, per = "") => {
    const [name, size] = SIZES.find((each) => count >= each[1]) ?? ["byte", 1];
    return unit(count / size, name + per, size > 1 ? 1 : 0, size > 1 ? "short" : "long");
  };
  return {
    /** With as many digits behind the point as asked for. */
    number,
    /** The form of a noun that goes with a count: `counted(2, { one: "token", other: "tokens" })`. */
    counted: (count: number, forms: Forms) =>
      `${number(count)} ${forms[rules.select(count)] ?? forms.other}`,
    bytes: (count: number) => sized(count),
    bytesPerSecond: (count: number) => sized(count, "-per-second"),
    /** "8 s", "2 min 5 s", "1 h 4 min"; never nothing at all. */
    duration(seconds: number): string {
      const whole = Math.max(1, Math.round(seconds));
      if (whole < 60) return unit(whole, "second");
      const [large, small, size] =
        whole < 3600 ? (["minute", "second", 60] as const) : (["hour", "minute", 3600] as const);
      const rest = Math.floor((whole % size) / (size / 60));
      return `${unit(Math.floor(whole / size), large)} ${unit(rest, small)}`;
    },
    seconds: (value: number) => unit(value, "second", 1),
    list: (items: string[]) => new Intl.ListFormat(locale).format(items),
  };
}
