/** Waits for a condition, never for a time. */
export async function until<Value>(
  what: string,
  look: () => Promise<Value | null | undefined | false> | Value | null | undefined | false,
  deadlineSeconds = 30,
): Promise<Value> {
  const end = performance.now() + deadlineSeconds * 1000
  for (;;) {
    const value = await look()
    if (value !== null && value !== undefined && value !== false) return value
    if (performance.now() > end) throw new Error(`waited ${deadlineSeconds} s in vain for: ${what}`)
    await Bun.sleep(25)
  }
}
