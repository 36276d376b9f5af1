/** Files in the origin's private file system. */

import type { FileCache } from "./cache";
import type { Bytes } from "./files";

const UNFINISHED = ".part";

/** What the DOM's types leave out: workers alone write in place, and `move` has no standard yet. */
interface Handle extends FileSystemFileHandle {
  createSyncAccessHandle?(): Promise<SyncAccess>;
  move?(name: string): Promise<void>;
}

interface SyncAccess {
  write(data: Bytes, options: { at: number }): number;
  truncate(bytes: number): void;
  getSize(): number;
  close(): void;
}

export class OpfsCache implements FileCache {
  constructor(private readonly path: string[]) {}

  /** The folder, which is sought each time: a browser short of space removes it in between. */
  async open(): Promise<FileSystemDirectoryHandle> {
    let folder = await navigator.storage.getDirectory();
    for (const name of this.path) {
      folder = await folder.getDirectoryHandle(name, { create: true });
    }
    return folder;
  }

  async read(sha256: string): Promise<Bytes | null> {
    const file = await fileIn(await this.open(), sha256);
    return file && new Uint8Array(await file.arrayBuffer());
  }

  async write(sha256: string, bytes: Bytes): Promise<void> {
    const folder = await this.open();
    const moves = "move" in FileSystemFileHandle.prototype;
    const name = moves ? sha256 + UNFINISHED : sha256;
    const file: Handle = await folder.getFileHandle(name, { create: true });
    try {
      if (file.createSyncAccessHandle) writeInPlace(await file.createSyncAccessHandle(), bytes);
      else await writeAtOnce(file, bytes);
      await file.move?.(sha256);
    } catch (error) {
      await folder.removeEntry(name).catch(() => {}); // another tab may be at it
      throw error;
    }
  }

  async remove(sha256: string): Promise<void> {
    const folder = await this.open();
    for (const name of [sha256, sha256 + UNFINISHED]) {
      await folder.removeEntry(name).catch(absent);
    }
  }

  async sizes(wanted?: Iterable<string>): Promise<Map<string, number>> {
    const folder = await this.open();
    const names = wanted ?? (await namesIn(folder));
    const found = [...new Set(names)].map(async (name): Promise<[string, number][]> => {
      const file = await fileIn(folder, name);
      return file ? [[name, file.size]] : [];
    });
    return new Map((await Promise.all(found)).flat());
  }
}

/** From the one buffer to the disk. The hash tells at the next reading what a power cut did to it. */
function writeInPlace(file: SyncAccess, bytes: Bytes): void {
  try {
    file.truncate(0);
    file.write(bytes, { at: 0 });
    // The size tells, whatever `write` returns: a file may end where the quota does.
    if (file.getSize() !== bytes.length) {
      throw new DOMException("the disk took a part of it", "QuotaExceededError");
    }
  } finally {
    file.close();
  }
}

/** Pages have no access in place; what they write takes the old content's place as it is closed. */
async function writeAtOnce(file: FileSystemFileHandle, bytes: Bytes): Promise<void> {
  const stream = await file.createWritable();
  try {
    await stream.write(bytes);
  } catch (error) {
    await stream.abort().catch(() => {});
    throw error;
  }
  await stream.close();
}

async function fileIn(folder: FileSystemDirectoryHandle, name: string): Promise<File | null> {
  const handle = await folder.getFileHandle(name).catch(absent);
  return handle ? handle.getFile() : null;
}

async function namesIn(folder: FileSystemDirectoryHandle): Promise<string[]> {
  const names: string[] = [];
  for await (const name of folder.keys()) if (!name.endsWith(UNFINISHED)) names.push(name);
  return names;
}

function absent(error: unknown): null {
  if (error instanceof DOMException && error.name === "NotFoundError") return null;
  throw error;
}
