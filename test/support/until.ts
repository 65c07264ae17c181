/** Waits for conditions, never for a time. Deadlines are far beyond what a busy machine takes: they end what hangs. */

/** Between looks that cost the machine something: at all of /proc, or at a page. */
export const seldomMs = 100

export async function until<Value>(
  what: string,
  look: () => Promise<Value | null | undefined | false> | Value | null | undefined | false,
  deadlineSeconds = 60,
  intervalMs = 25,
): Promise<Value> {
  const end = performance.now() + deadlineSeconds * 1000
  for (;;) {
    const value = await look()
    if (value !== null && value !== undefined && value !== false) return value
    if (performance.now() > end) throw new Error(`waited ${deadlineSeconds} s in vain for: ${what}`)
    await Bun.sleep(intervalMs)
  }
}

/** Looks until nothing is left, or the deadline. @returns what still is */
export async function emptied<Item>(
  look: () => Promise<readonly Item[]>,
  deadlineSeconds = 30,
  intervalMs = 25,
): Promise<readonly Item[]> {
  const end = performance.now() + deadlineSeconds * 1000
  for (;;) {
    const left = await look()
    if (left.length === 0 || performance.now() > end) return left
    await Bun.sleep(intervalMs)
  }
}
