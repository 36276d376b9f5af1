import { Tokenizer } from "@huggingface/tokenizers";
import { WebkilnError } from "./api";

/** The model's tokenizer: special tokens in a text are recognised, none are added. */
export class TextCodec {
  private readonly tokenizer: Tokenizer;

  /** Both arguments are the parsed Hugging Face files of those names. */
  constructor(tokenizerJson: object, tokenizerConfig: object) {
    try {
      this.tokenizer = new Tokenizer(unicodeDigits(tokenizerJson) as object, tokenizerConfig);
    } catch (error) {
      throw new WebkilnError(
        "bad-bundle",
        `tokenizer.json cannot be read: ${error instanceof Error ? error.message : error}`,
        "Compile the model again with this version of webkiln.",
      );
    }
  }

  encode(text: string): number[] {
    return text === "" ? [] : this.tokenizer.encode(text, { add_special_tokens: false }).ids;
  }

  /** Text of an answer: special tokens leave no trace. */
  decode(ids: number[]): string {
    if (ids.length === 0) return "";
    return this.tokenizer.decode(ids, {
      skip_special_tokens: true,
      clean_up_tokenization_spaces: false,
    });
  }
}

/**
 * The library's Digits knows 0 to 9 only; the tokenizers it stands in for split at every Unicode
 * number (\u00b2, \u2167, \u0967). A Split does the same with a pattern of ours.
 */
function unicodeDigits(node: unknown): unknown {
  if (Array.isArray(node) || typeof node !== "object" || node === null) return node;
  const { type, individual_digits, pretokenizers, pre_tokenizer } = node as Record<string, unknown>;
  if (type === "Digits") {
    const Regex = individual_digits ? "\\p{N}" : "\\p{N}+";
    return { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false };
  }
  if (Array.isArray(pretokenizers)) {
    return { ...node, pretokenizers: pretokenizers.map(unicodeDigits) };
  }
  if (pre_tokenizer) return { ...node, pre_tokenizer: unicodeDigits(pre_tokenizer) };
  return node;
}
