/** Enqueues as programs with many jobs do: by calls of a thousand, one after the other. */
const perCall = 1000

/** @param enqueue so many at once; the last call may be for fewer than a thousand */
export async function byThousands(count: number, enqueue: (part: number) => Promise<unknown>): Promise<void> {
  for (let left = count; left > 0; left -= perCall) await enqueue(Math.min(perCall, left))
}
