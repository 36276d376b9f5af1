import { Tokenizer } from "@huggingface/tokenizers";
import { WebkilnError } from "./api";

/** The model's tokenizer: special tokens in a text are recognised, none are added. */
export class TextCodec {
  private readonly tokenizer: Tokenizer;

  /** Both arguments are the parsed Hugging Face files of those names. */
  constructor(tokenizerJson: object, tokenizerConfig: object) {
    try {
      this.tokenizer = new Tokenizer(tokenizerJson, tokenizerConfig);
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
