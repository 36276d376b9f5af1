/** Deletes what this browser keeps of a model, so that nothing brings it back unasked. */

import { importEngine } from "./engine";
import { forget, type Loader } from "./loader";
import type { Model } from "./models";

/** `loader`: the page's, which may be loading this very model. Bytes that this gave back. */
export async function deleteKept(model: Model, loader: Loader | null): Promise<number> {
  const { deleteModel } = await importEngine();
  forget(model.integrity);
  if (loader?.model === model) await loader.abandon();
  try {
    return await deleteModel(model.integrity);
  } finally {
    // A load that was about to end has noted it once more.
    forget(model.integrity);
    forgetAutoload();
  }
}

/** A reload would download it again. */
function forgetAutoload(): void {
  const address = new URL(location.href);
  address.searchParams.delete("autoload");
  history.replaceState(history.state, "", address);
}
