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
  Rung,
  StorageUse,
  StoredModel,
} from "../engine/api";
import type { Assessment, AssessOptions, ModelQuestion } from "../engine/assessment";
import type { Download } from "../engine/download";

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
  Rung,
};

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

/** What the page shows of an error, whoever threw it. */
export interface Trouble {
  code: ErrorCode;
  message: string;
  hint: string;
  values: ErrorValues;
}

/** The engine's own errors pass; anything else is an internal one. */
export function asTrouble(error: unknown): Trouble {
  if (error instanceof Error && "code" in error && "hint" in error) {
    const { code, message, hint, values } = error as Error & Trouble;
    return { code, message, hint, values: values ?? {} };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "internal", message, hint: "Reload the page and try again.", values: {} };
}
