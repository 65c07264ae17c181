/** A connection to PostgreSQL that breaks when a statement was carried out, and before its answer is here. */
import { openPool, type Pool } from '../../core/db.ts'
import { openLine } from './line.ts'

export interface LossyPool {
  /** Of one connection; to be ended. */
  pool: Pool
  /** From now on, until it has happened. */
  loseAnswer(): void
  /** Whether that is still to come. */
  readonly isToLose: boolean
}

export async function openLossyPool(databaseUrl: string): Promise<LossyPool> {
  let isToLose = false
  const line = await openLine(databaseUrl, {
    asGiven: (answer) => {
      // What was asked for is done by then.
      if (!isToLose || !answer.includes('SELECT ')) return answer
      isToLose = false
      line.drop()
      void line.restore()
      return Buffer.alloc(0)
    },
  })
  const pool = openPool({ DATABASE_URL: line.url, DATABASE_POOL_SIZE: 1 }, 'test')
  await pool`select 1`
  return {
    pool,
    loseAnswer: () => {
      isToLose = true
    },
    get isToLose() {
      return isToLose
    },
  }
}
