/** Metrics as JSON: how many jobs there are, how they fare, how many got done. */
import { Hono } from 'hono'
import { z } from 'zod'
import { readDefinitionMetrics, readRecentThroughput, readThroughput } from '../../core/metrics/read.ts'
import { performanceOf, sumOfStatuses, sumOfTries, totalOf } from '../../core/metrics/summary.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { queryInteger, validate } from '../validate.ts'

const SummaryQuery = z.object({
  ttl: queryInteger(0, 3600)
    .default(0)
    .describe('An answer that was given up to so many seconds ago will do.'),
})

const ThroughputQuery = z.object({ hours: queryInteger(1, 168).default(24) })

export function metricsRoutes({ sql }: AppDependencies): Hono<ApiEnv> {
  const routes = new Hono<ApiEnv>()
  let last: { at: number; summary: Awaited<ReturnType<typeof readSummary>> } | undefined

  async function readOverall() {
    const definitions = await readDefinitionMetrics(sql)
    const byStatus = sumOfStatuses(definitions.map((definition) => definition.byStatus))
    const tries = sumOfTries(definitions.map(({ tried }) => tried))
    return { byStatus, performance: performanceOf(byStatus, tries) }
  }

  async function readSummary() {
    const [{ byStatus, performance }, throughput] = await Promise.all([
      readOverall(),
      readRecentThroughput(sql),
    ])
    return { summary: { total: totalOf(byStatus), byStatus }, performance, throughput }
  }

  routes.get('/', validate('query', SummaryQuery), async (c) => {
    const { ttl } = c.req.valid('query')
    const at = performance.now()
    if (last === undefined || at - last.at >= ttl * 1000) last = { at, summary: await readSummary() }
    return c.json(last.summary)
  })

  routes.get('/definitions', async (c) => {
    const definitions = await readDefinitionMetrics(sql)
    return c.json({
      definitions: definitions.map(({ definitionKey, definitionVersion, byStatus, tried }) => {
        const { successRate, avgProcessingTime, avgQueueTime } = performanceOf(byStatus, tried)
        const total = totalOf(byStatus)
        return {
          definitionKey,
          definitionVersion,
          total,
          byStatus,
          successRate,
          avgProcessingTime,
          avgQueueTime,
        }
      }),
    })
  })

  routes.get('/throughput', validate('query', ThroughputQuery), async (c) => {
    return c.json({ data: await readThroughput(sql, c.req.valid('query')) })
  })

  routes.get('/performance', async (c) => c.json((await readOverall()).performance))

  return routes
}
