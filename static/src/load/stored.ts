/** What a browser keeps of models, and what room it has. */

/** What this browser keeps of one model. */
export interface StoredModel {
  name: string;
  /** SHA-256 of its manifest, `sha256-<hex>`. */
  integrity: string;
  /** Bytes of the files that running it takes: of the variant that is nearest to complete. */
  total: number;
  /** Of `total`, what is still to be fetched. */
  missing: number;
  /** Bytes of its files on this disk, those of other variants and of other models included. */
  kept: number;
}

/** The disk, as far as the browser tells; null where it does not. */
export interface StorageUse {
  /** Bytes of the models' files. */
  models: number;
  /** Bytes of everything this site keeps, and how many more it may. */
  used: number | null;
  free: number | null;
  /** Whether the browser has promised not to clear it when space runs short. */
  persisted: boolean | null;
}
