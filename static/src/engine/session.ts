/** A loaded model in the worker: everything between a request and the backend. */

import type { Backend } from "../backends/backend";
import type { Manifest } from "../plan";
import type { ChatMessage, EngineInfo } from "./api";
import { ChatTemplate } from "./chat";
import { checkRoom } from "./context";
import { Detokenizer, StopFilter } from "./detokenize";
import { aborted } from "./errors";
import { type GenerationResult, Generator } from "./generate";
import type { ChatResult, ResolvedChat } from "./protocol";
import { badRequest, checkCount, checkIds, GREEDY } from "./requests";
import type { TextCodec } from "./tokenizer";

export class Session {
  private readonly template: ChatTemplate;
  private readonly generator: Generator;
  /** One generation runs at a time; later ones wait their turn here. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    readonly info: EngineInfo,
    private readonly manifest: Manifest,
    private readonly codec: TextCodec,
    private readonly backend: Backend,
  ) {
    this.template = new ChatTemplate(manifest.chat_template, manifest.special_tokens);
    this.generator = new Generator(backend, manifest.vocabulary);
  }

  tokenize(text: string): number[] {
    return this.codec.encode(text);
  }

  promptIds(messages: ChatMessage[]): number[] {
    return this.codec.encode(this.template.render(messages));
  }

  /** Answers; `onText` is called with each piece of text that is certain. */
  async chat(
    request: ResolvedChat,
    signal: AbortSignal,
    onText: (text: string) => void,
  ): Promise<ChatResult> {
    const prompt = this.promptIds(request.messages);
    checkRoom(prompt.length, this.backend.context);
    const detokenizer = new Detokenizer(this.codec);
    const filter = new StopFilter(request.stop);
    let text = "";
    const emit = (piece: string): void => {
      if (piece === "") return;
      text += piece;
      onText(piece);
    };
    const result = await this.inTurn(() =>
      this.generator.run({
        prompt,
        maxTokens: request.maxTokens ?? Number.POSITIVE_INFINITY,
        sampling: request.sampling,
        stopTokens: this.manifest.stop_tokens,
        onToken: (id) => {
          emit(filter.push(detokenizer.push(id)));
          return !filter.stopped;
        },
        signal,
      }),
    );
    emit(filter.push(detokenizer.flush()));
    emit(filter.flush());
    return summary(text, prompt.length, result, filter.stopped);
  }

  async generate(ids: unknown, count: unknown, signal: AbortSignal): Promise<number[]> {
    const prompt = checkIds("ids", ids, this.manifest.vocabulary);
    const maxTokens = checkCount("count", count);
    checkRoom(prompt.length + maxTokens - 1, this.backend.context);
    const onToken = (): boolean => true;
    const request = { prompt, maxTokens, sampling: GREEDY, stopTokens: [], onToken, signal };
    const result = await this.inTurn(() => this.generator.run(request));
    if (result.finishReason === "abort") throw aborted();
    return result.tokens;
  }

  async evaluate(ids: unknown, first: unknown): Promise<Float32Array<ArrayBuffer>> {
    const forced = checkIds("ids", ids, this.manifest.vocabulary);
    const from = checkCount("first", first, 0);
    if (from >= forced.length) {
      throw badRequest("first", from, `less than the number of ids, ${forced.length}`);
    }
    checkRoom(forced.length, this.backend.context);
    return this.inTurn(() => this.generator.evaluate(forced, from));
  }

  dispose(): void {
    this.backend.dispose();
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => {});
    return result;
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
      prefill_seconds: result.prefillSeconds,
      decode_seconds: result.decodeSeconds,
    },
  };
}
