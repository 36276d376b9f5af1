/** The site's models. */

export interface Model {
  name: string;
  /** Its name in addresses: its folder, which is unique where names may not be. */
  slug: string;
  /** Bundle folders, relative to the page or absolute: the one to ask first, then its mirrors. */
  urls: [string, ...string[]];
  integrity: string;
  bytes: number;
  /** It turns texts into vectors, and does not chat. */
  embeds: boolean;
}

export function slug(model: Model): string {
  return model.slug;
}

/** The chat model of this folder; undefined if the site has it no longer. */
export function findModel(models: Model[], folder: string): Model | undefined {
  return models.find((model) => !model.embeds && slug(model) === folder);
}

/** The model asked for by folder or name, or the first that chats; undefined if there is none. */
export function chooseModel(models: Model[], wanted: string | undefined): Model | undefined {
  if (wanted === undefined) return models.find((model) => !model.embeds) ?? models[0];
  return (
    models.find((model) => slug(model) === wanted) ?? models.find((model) => model.name === wanted)
  );
}
