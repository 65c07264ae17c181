/** Whether the process lives, and whether it could do its work now. */
import { Hono } from 'hono'
import { z } from 'zod'
import { checkDatabase } from '../../core/db.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { RequestProblem } from '../problem.ts'

const Status = z.object({ status: z.string() })
/** Anybody may ask, so that what is asked of database and storage does not grow with how often. */
const believedMs = 1000
/** A host that vanished without a word is waited for by the system for a quarter of an hour; new connections are quicker. */
const silentMs = 60_000

export function healthRoutes({ readiness, storage }: Pick<AppDependencies, 'readiness' | 'storage'>) {
  let databaseAskedAt = Number.POSITIVE_INFINITY
  const checkedDatabase = async () => {
    databaseAskedAt = performance.now()
    try {
      await checkDatabase(readiness)
    } finally {
      databaseAskedAt = Number.POSITIVE_INFINITY
    }
  }
  const failures = shared(believedMs, async () => {
    const checks = { database: checkedDatabase(), storage: storage.check() }
    const outcomes = await Promise.allSettled(Object.values(checks))
    return Object.keys(checks).flatMap((name, place) => {
      const outcome = outcomes[place]
      return outcome?.status === 'rejected' ? [{ name, cause: outcome.reason }] : []
    })
  })

  return new Hono<ApiEnv>()
    .get(
      '/healthz',
      operation({
        summary: 'Whether the process lives',
        description:
          'Nothing is asked of database and storage. Only a database that has owed `/readyz` an answer for a minute counts as a process to be started anew.',
        answers: { 200: { description: 'It does.', schema: Status, example: { status: 'ok' } } },
        problems: ['not_ready'],
      }),
      (c) => {
        if (performance.now() - databaseAskedAt >= silentMs)
          throw new RequestProblem('not_ready', 'The database has given no answer for a minute.')
        return c.json({ status: 'ok' })
      },
    )
    .get(
      '/readyz',
      operation({
        summary: 'Whether database and storage can be reached',
        answers: { 200: { description: 'They can.', schema: Status, example: { status: 'ready' } } },
        problems: ['not_ready'],
      }),
      async (c) => {
        const failed = await failures()
        if (failed.length === 0) return c.json({ status: 'ready' })
        const names = failed.map(({ name }) => name).join(', ')
        throw new RequestProblem('not_ready', `Can't be reached or used: ${names}.`, [], {
          cause: failed[0]?.cause,
        })
      },
    )
}

/** What is asked for while it is looked up, or for so long after, gets that answer. */
function shared<Value>(forMs: number, look: () => Promise<Value>): () => Promise<Value> {
  let last: { value: Promise<Value>; until: number } | undefined
  return () => {
    if (last !== undefined && performance.now() < last.until) return last.value
    const looking = { value: look(), until: Number.POSITIVE_INFINITY }
    last = looking
    const ended = () => {
      looking.until = performance.now() + forMs
    }
    looking.value.then(ended, ended)
    return looking.value
  }
}
