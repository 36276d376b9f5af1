/** The site's model list. */

export interface Model {
  name: string;
  url: string;
  integrity: string;
  bytes: number;
  /** It turns texts into vectors, and does not chat. */
  embeds: boolean;
}

export async function fetchModels(): Promise<Model[]> {
  const response = await fetch("models.json");
  if (!response.ok) throw new Error(`the model list could not be read (HTTP ${response.status})`);
  return (await response.json()) as Model[];
}

/** A model's name in addresses: its folder, which is unique where names may not be. */
export function slug(model: Model): string {
  return decodeURIComponent(model.url.replace(/\/$/, "").split("/").at(-1) ?? "");
}

/** The model asked for by folder or name, or the first that chats; undefined if there is none. */
export function chooseModel(models: Model[], wanted: string | undefined): Model | undefined {
  if (wanted === undefined) return models.find((model) => !model.embeds) ?? models[0];
  return (
    models.find((model) => slug(model) === wanted) ?? models.find((model) => model.name === wanted)
  );
}
