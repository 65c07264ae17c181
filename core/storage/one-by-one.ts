/**
 * For what takes requests to the storage: each item is a transaction of its own. However the storage is, who enqueues something
 * that names the item waits for that one only, and what is done stays done.
 */
import { endWhenStill, type Pool, type Sql } from '../db.ts'

/** Beyond the time after which a duty is told to end: of a storage that hangs, this gives back what is held. */
const standstillSeconds = 120

/**
 * @param act on an item; its first statement has to select `still`, and to lock the item
 * @param signal to stop: the rest is left
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
    if (await sql.begin((tx) => act(tx, item, endWhenStill(tx, standstillSeconds)))) acted++
  }
  return acted
}
