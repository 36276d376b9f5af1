import { Template } from "@huggingface/jinja";
import { type ChatMessage, WebkilnError } from "./api";

/** Turns messages into the text a model was trained on, as transformers renders it. */
export class ChatTemplate {
  private readonly template: Template | null;

  constructor(
    source: string,
    /** bos_token, eos_token, ...: templates refer to them by these names. */
    private readonly specialTokens: Record<string, string>,
  ) {
    try {
      this.template = source === "" ? null : new Template(source);
    } catch (error) {
      throw new WebkilnError(
        "bad-bundle",
        `the chat template cannot be parsed: ${error instanceof Error ? error.message : error}`,
        "Report the model's name; engine.generate works without a template.",
      );
    }
  }

  /** The prompt, ending where the assistant's answer begins, or where the last one breaks off. */
  render(messages: ChatMessage[], continues = false): string {
    const text = this.fill(messages, !continues);
    return continues ? cutAfter(text, messages.at(-1)?.content.trimEnd() ?? "") : text;
  }

  private fill(messages: ChatMessage[], add_generation_prompt: boolean): string {
    if (this.template === null) {
      throw new WebkilnError(
        "bad-request",
        "this model has no chat template, so it cannot be given messages",
        "Use engine.tokenize and engine.generate, or a model tuned for chat.",
      );
    }
    try {
      return this.template.render({
        // transformers passes None for these: templates ask `is not none`, not only `is defined`.
        tools: null,
        documents: null,
        ...this.specialTokens,
        messages,
        add_generation_prompt,
      });
    } catch (error) {
      // Mostly raise_exception(...) of the template itself: roles out of order, no system role.
      throw new WebkilnError(
        "bad-request",
        `the model's chat template refused the messages: ${error instanceof Error ? error.message : error}`,
        "Check the order of the roles; some models take no system message.",
      );
    }
  }
}

/** What the template puts after an answer belongs to one that has ended. */
function cutAfter(text: string, answer: string): string {
  const spelling = [answer, answer.trimStart()].find((each) => text.lastIndexOf(each) >= 0);
  if (spelling !== undefined) return text.slice(0, text.lastIndexOf(spelling) + spelling.length);
  throw new WebkilnError(
    "bad-request",
    "the model's chat template changes answers, so none can be gone on with",
    "Ask for a new answer instead.",
  );
}
