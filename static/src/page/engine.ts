/** The engine as any page of the site gets it: by its address, at run time. */

import type { Suggestion } from "../device/fit";
import type {
  Backend,
  CapabilityReport,
  Cause,
  ChatCompletionChunk,
  ChatMessage,
  ChatRequest,
  Connection,
  Engine,
  EngineInfo,
  EngineOptions,
  ErrorCode,
  ErrorValues,
  Progress,
  RequestRecord,
  Rung,
  StorageUse,
  StoredModel,
} from "../engine/api";
import type { Assessment, AssessOptions, ModelQuestion } from "../engine/assessment";
import type { Download } from "../engine/download";
import type { ServerErrorCode, ServerValues } from "../server/errors";

export type { FinishReason, Usage } from "../engine/api";
export type {
  Backend,
  CapabilityReport,
  Cause,
  ChatCompletionChunk,
  ChatMessage,
  ChatRequest,
  Download,
  Engine,
  EngineInfo,
  ErrorCode,
  ErrorValues,
  Progress,
  RequestRecord,
  Rung,
};

/** Whoever answers: the engine in this tab, or a server somebody chose. */
export interface Answerer {
  readonly chat: Engine["chat"];
  /** Positions of the context; null where they are not known. */
  readonly info: { readonly context: number | null };
  /** Null where nobody here can count. */
  countTokens(messages: ChatMessage[]): Promise<number | null>;
}

export interface DeviceQuestion
  extends Pick<EngineOptions, "mirrors" | "backend" | "variant" | "context"> {
  model: string;
  integrity: string;
}

export interface EngineModule {
  createEngine(options: EngineOptions): Promise<Engine>;
  checkDevice(question: DeviceQuestion): Promise<{ report: CapabilityReport }>;
  storedModel(question: DeviceQuestion): Promise<StoredModel>;
  connection(): Connection;
  Download: new () => Download;
  assess(models: ModelQuestion[], options?: AssessOptions): Promise<Assessment[]>;
  suggestModel(assessments: Assessment[]): Suggestion | null;
  storedModels(): Promise<StoredModel[]>;
  deleteModel(integrity: string): Promise<number>;
  storageUse(): Promise<StorageUse>;
  persistStorage(): Promise<boolean>;
}

// A plain string, so that neither the compiler nor the bundler follows it.
const ADDRESS: string = "./engine.js";

/** The module; a failed import may be tried again. */
export function importEngine(): Promise<EngineModule> {
  return import(ADDRESS);
}

interface Sentences {
  message: string;
  hint: string;
}

export type EngineTrouble = Sentences & { code: ErrorCode; values: ErrorValues };
export type ServerTrouble = Sentences & { code: ServerErrorCode; values: ServerValues };

/** What the page shows of an error, whoever threw it. */
export type Trouble = EngineTrouble | ServerTrouble;

export function isServerTrouble(trouble: Trouble): trouble is ServerTrouble {
  return trouble.code.startsWith("server-");
}

/** The engine's own errors pass; anything else is an internal one. */
export function asTrouble(error: unknown): Trouble {
  if (error instanceof Error && "code" in error && "hint" in error) {
    const { code, message, hint, values } = error as Error & Trouble;
    return { code, message, hint, values: values ?? {} } as Trouble;
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "internal", message, hint: "Reload the page and try again.", values: {} };
}
