/** Small results back from the GPU without stalling it. */

/** A ring of small mappable buffers; as many reads can be under way as it has slots. */
export class ReadbackRing {
  private readonly free: GPUBuffer[];

  constructor(
    gpu: GPUDevice,
    readonly slots: number,
    bytes: number,
  ) {
    this.free = Array.from({ length: slots }, (_, index) =>
      gpu.createBuffer({
        label: `readback ${index}`,
        size: bytes,
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      }),
    );
  }

  /** A slot to copy words into; `read` reads them once that copy is submitted. */
  take(): GPUBuffer {
    const slot = this.free.pop();
    if (slot === undefined) throw new Error(`more than ${this.slots} steps under way`);
    return slot;
  }

  /** What `take` makes of the words copied into `slot`, which is then free again. */
  async read<T>(slot: GPUBuffer, take: (words: Int32Array) => T): Promise<T> {
    await slot.mapAsync(GPUMapMode.READ);
    const value = take(new Int32Array(slot.getMappedRange()));
    slot.unmap();
    this.free.push(slot);
    return value;
  }
}

/** A copy of a whole buffer; not for the decode loop. */
export async function readBuffer(gpu: GPUDevice, source: GPUBuffer): Promise<ArrayBuffer> {
  const staging = gpu.createBuffer({
    label: `copy of ${source.label}`,
    size: source.size,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  try {
    const encoder = gpu.createCommandEncoder({ label: staging.label });
    encoder.copyBufferToBuffer(source, 0, staging, 0, source.size);
    gpu.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    return staging.getMappedRange().slice(0);
  } finally {
    staging.destroy();
  }
}
