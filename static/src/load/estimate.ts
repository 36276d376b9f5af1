/** What the browser says of its disk; nothing where it says nothing. */
export async function estimate(): Promise<StorageEstimate> {
  return (await navigator.storage?.estimate?.().catch(() => ({}))) ?? {};
}
