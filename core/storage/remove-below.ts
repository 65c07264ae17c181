/** Removes all objects below a prefix. */
import type { Storage } from './client.ts'

/** A video in segments is thousands of objects: one at a time they would take minutes. Not every server takes many at once. */
const atOnce = 16

/** @returns false when it was told to stop and did before all were gone. @throws AbortError when a request was under way then */
export async function removeBelow(
  storage: Pick<Storage, 'list' | 'remove'>,
  prefix: string,
  signal?: AbortSignal,
): Promise<boolean> {
  let keys: string[] = []
  const removeThem = async () => {
    await Promise.all(keys.map((key) => storage.remove(key, { signal })))
    keys = []
  }
  for await (const { key } of storage.list(prefix, { signal })) {
    keys.push(key)
    if (keys.length < atOnce) continue
    if (signal?.aborted) return false
    await removeThem()
  }
  await removeThem()
  return true
}
