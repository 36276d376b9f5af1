/** A loaded language model in the worker: everything between a request and the backend. */

import type { ChatMessage, Speculation } from "./api";
import { ChatTemplate } from "./chat";
import { checkRoom } from "./context";
import { Detokenizer, StopFilter } from "./detokenize";
import { aborted } from "./errors";
import { Draft, type Generation, type GenerationResult, Generator } from "./generate";
import type { ChatResult, ResolvedChat } from "./protocol";
import { badRequest, checkCount, checkIds, GREEDY } from "./requests";
import { type Loaded, Running } from "./running";

/** Tokens of an answer's beginning that tell how the next one is spelt, a space before it or not. */
const SEEN = 8;

export class Session extends Running<Generator> {
  private readonly template: ChatTemplate;

  constructor(loaded: Loaded) {
    const { vocabulary, chat_template: template, special_tokens: tokens } = loaded.manifest;
    super(loaded, (backend) => new Generator(backend, vocabulary));
    this.template = new ChatTemplate(template, tokens);
  }

  promptIds(messages: ChatMessage[], continues = false): number[] {
    return this.tokenize(this.template.render(messages, continues));
  }

  /** Answers; `onText` is called with each piece of text that is certain. */
  async chat(
    request: ResolvedChat,
    signal: AbortSignal,
    onText: (text: string) => void,
  ): Promise<ChatResult> {
    const prompt = this.promptIds(request.messages, request.continues);
    checkRoom(prompt.length, this.loaded.context);
    const detokenizer = new Detokenizer(
      this.loaded.codec,
      request.continues ? prompt.slice(-SEEN) : [],
    );
    const filter = new StopFilter(request.stop);
    let text = "";
    const emit = (piece: string): void => {
      if (piece === "") return;
      text += piece;
      onText(piece);
    };
    const result = await this.answer({
      prompt,
      maxTokens: request.maxTokens ?? Number.POSITIVE_INFINITY,
      sampling: request.sampling,
      speculation: request.speculation,
      stopTokens: this.loaded.manifest.stop_tokens,
      onToken: (id) => {
        emit(filter.push(detokenizer.push(id)));
        return !filter.stopped;
      },
      signal,
    });
    emit(filter.push(detokenizer.flush()));
    emit(filter.flush());
    return summary(text, prompt.length, result, filter.stopped);
  }

  async generate(
    ids: unknown,
    count: unknown,
    speculation: Speculation,
    signal: AbortSignal,
  ): Promise<number[]> {
    const prompt = checkIds("ids", ids, this.loaded.manifest.vocabulary);
    const maxTokens = checkCount("count", count);
    checkRoom(prompt.length + maxTokens - 1, this.loaded.context);
    const onToken = (): boolean => true;
    const settings = { sampling: GREEDY, speculation, stopTokens: [] };
    const result = await this.answer({ prompt, maxTokens, ...settings, onToken, signal });
    if (result.finishReason === "abort") throw aborted();
    return result.tokens;
  }

  async evaluate(
    ids: unknown,
    first: unknown,
    signal: AbortSignal,
  ): Promise<Float32Array<ArrayBuffer>> {
    const forced = checkIds("ids", ids, this.loaded.manifest.vocabulary);
    const from = checkCount("first", first, 0);
    if (from >= forced.length) {
      throw badRequest("first", from, `less than the number of ids, ${forced.length}`);
    }
    checkRoom(forced.length, this.loaded.context);
    return this.inTurn(signal, (generator) => generator.evaluate(forced, from));
  }

  private async answer(generation: Generation): Promise<GenerationResult> {
    const { signal } = generation;
    const draft = new Draft();
    try {
      return await this.inTurn(signal, (generator) => generator.run(generation, draft));
    } catch (error) {
      if (signal.aborted) return draft.result("abort");
      throw error;
    }
  }
}

function summary(
  text: string,
  promptTokens: number,
  result: GenerationResult,
  stopped: boolean,
): ChatResult {
  return {
    text,
    // A stop string can come to light in the very last piece of text.
    finishReason: stopped ? "stop" : result.finishReason,
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: result.tokens.length,
      total_tokens: promptTokens + result.tokens.length,
      cached_tokens: result.cachedTokens,
      guessed_tokens: result.guessedTokens,
      prefill_seconds: result.prefillSeconds,
      decode_seconds: result.decodeSeconds,
    },
  };
}
