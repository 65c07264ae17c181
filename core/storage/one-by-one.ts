/**
 * For what takes requests to the storage: each item is a transaction of its own. However the storage is, who enqueues something
 * that names the item waits for that one only, and what is done stays done.
 */
import { endWhenStill, type Pool, type Sql } from '../db.ts'

/** Beyond the time after which a duty is told to end: of who is paused in the middle, this gives back what is held. */
const standstillSeconds = 120

/**
 * @param act on an item; its first statement has to select `still`, and to lock the item. Its requests are to be given the
 *   signal: where the connection is the only one, what else is to be written waits until the item is done with
 * @param signal to stop: the rest is left, and the item whose request it ends
 * @returns on how many it acted
 */
export async function oneByOne<Item>(
  sql: Pool,
  items: Item[],
  act: (tx: Sql, item: Item, still: ReturnType<typeof endWhenStill>) => Promise<boolean>,
  signal: AbortSignal | undefined,
): Promise<number> {
  let acted = 0
  for (const item of items) {
    if (signal?.aborted) break
    try {
      if (await sql.begin((tx) => act(tx, item, endWhenStill(tx, standstillSeconds)))) acted++
    } catch (error) {
      if (signal?.aborted && isAbort(error)) break
      throw error
    }
  }
  return acted
}

/** What the SDK throws where a request was ended by its signal. */
function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}
