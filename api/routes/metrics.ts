/** Metrics as JSON: how many jobs there are, how they fare, how many got done. */
import { Hono } from 'hono'
import { z } from 'zod'
import { readLatency } from '../../core/metrics/latency.ts'
import { liveCountedAt } from '../../core/metrics/live.ts'
import {
  readDefinitionMetrics,
  readMinutes,
  readRecentThroughput,
  readThroughput,
} from '../../core/metrics/read.ts'
import { performanceOf, sumOfStatuses, sumOfTries, totalOf } from '../../core/metrics/summary.ts'
import type { ApiEnv, AppDependencies } from '../app.ts'
import { operation } from '../openapi/operation.ts'
import { queryInteger, validate } from '../validate.ts'

const longestTtlSeconds = 3600

const SummaryQuery = z.object({
  ttl: z
    .string()
    .regex(/^\d+(\.\d+)?$/, 'expected a number of seconds')
    .transform((seconds) => Math.min(Number(seconds), longestTtlSeconds))
    .meta({ openapi: { type: 'number', minimum: 0 } })
    .default(0)
    .describe(
      `An answer that was given up to so many seconds ago will do; more than ${longestTtlSeconds} count as that.`,
    ),
})

const ThroughputQuery = z.object({ hours: queryInteger(1, 168).default(24) })

const MinutesQuery = z.object({ minutes: queryInteger(1, 1440).default(60) })

const count = z.int().min(0)
const rate = z.number().min(0).max(1)
const mean = z.number().nullable()

const StatusCounts = z
  .object({
    queued: count,
    running: count,
    succeeded: count,
    failed: count,
    cancelling: count,
    cancelled: count,
  })
  .meta({ id: 'StatusCounts' })

const successRate = rate.describe('Of the jobs that succeeded or failed, the part that succeeded.')
const avgProcessingTime = mean.describe('Mean seconds of the last attempt of those jobs.')
const avgQueueTime = mean.describe('Mean seconds from their enqueuing to the beginning of that attempt.')

const Performance = z
  .object({
    successRate,
    avgProcessingTime,
    avgQueueTime,
    retryRate: rate.describe('The part of them that took more than one attempt.'),
  })
  .meta({ id: 'Performance' })

export const liveCounted = z.iso
  .datetime()
  .nullable()
  .describe('When unfinished jobs were last counted, of which there are very many; null: for this answer.')

const Summary = z.object({
  summary: z.object({ total: count, byStatus: StatusCounts }),
  liveCountedAt: liveCounted,
  performance: Performance,
  throughput: z
    .object({ lastHour: count, lastDay: count, lastWeek: count })
    .describe('Jobs that succeeded, to the minute.'),
})

const DefinitionMetrics = z.object({
  definitionKey: z.string(),
  definitionVersion: z.int(),
  total: count,
  byStatus: StatusCounts,
  successRate,
  avgProcessingTime,
  avgQueueTime,
})

const Throughput = z.object({ period: z.iso.datetime(), completed: count, failed: count })

const Minute = z.object({ period: z.iso.datetime(), succeeded: count, failed: count })

const LatencyQuery = z.object({ minutes: queryInteger(1, 60).default(10) })

const percentiles = z.object({ p50: z.number(), p95: z.number() }).nullable()

const MinuteLatency = z.object({
  period: z.iso.datetime().describe('Beginning of the minute in which the jobs were enqueued.'),
  wait: percentiles.describe(
    'Seconds from enqueue to start, delays that were asked for included; null: none has finished.',
  ),
  run: percentiles.describe('Seconds that they took.'),
})

const byStatus = { queued: 3, running: 2, succeeded: 94, failed: 1, cancelling: 0, cancelled: 0 }
const exampleTimes = { successRate: 0.989, avgProcessingTime: 12.4, avgQueueTime: 0.3 }
const examplePerformance = { ...exampleTimes, retryRate: 0.02 }

export function metricsRoutes({ sql }: AppDependencies) {
  let last: { at: number; summary: Awaited<ReturnType<typeof readSummary>> } | undefined

  async function readOverall() {
    const definitions = await readDefinitionMetrics(sql)
    const byStatus = sumOfStatuses(definitions.map((definition) => definition.byStatus))
    const tries = sumOfTries(definitions.map(({ tried }) => tried))
    return { byStatus, performance: performanceOf(byStatus, tries) }
  }

  async function readSummary() {
    const [{ byStatus, performance }, throughput, countedAt] = await Promise.all([
      readOverall(),
      readRecentThroughput(sql),
      liveCountedAt(sql),
    ])
    const summary = { total: totalOf(byStatus), byStatus }
    return { summary, liveCountedAt: countedAt, performance, throughput }
  }

  return new Hono<ApiEnv>()
    .get(
      '/',
      operation({
        summary: 'Metrics of all jobs',
        answers: {
          200: {
            description: 'Finished jobs count even when their history was dropped.',
            schema: Summary,
            example: {
              summary: { total: 100, byStatus },
              liveCountedAt: null,
              performance: examplePerformance,
              throughput: { lastHour: 12, lastDay: 94, lastWeek: 94 },
            },
          },
        },
      }),
      validate('query', SummaryQuery),
      async (c) => {
        const { ttl } = c.req.valid('query')
        const at = performance.now()
        if (last === undefined || at - last.at >= ttl * 1000) last = { at, summary: await readSummary() }
        return c.json(last.summary)
      },
    )
    .get(
      '/definitions',
      operation({
        summary: 'Metrics by definition',
        answers: {
          200: {
            description: 'By key and version: those that ever had a job.',
            schema: z.object({ definitions: z.array(DefinitionMetrics) }),
            example: {
              definitions: [
                { definitionKey: 'echo', definitionVersion: 1, total: 100, byStatus, ...exampleTimes },
              ],
            },
          },
        },
      }),
      async (c) => {
        const definitions = await readDefinitionMetrics(sql)
        return c.json({
          definitions: definitions.map(({ byStatus, tried, ...definition }) => {
            const { retryRate: _retryRate, ...performance } = performanceOf(byStatus, tried)
            return { ...definition, total: totalOf(byStatus), byStatus, ...performance }
          }),
        })
      },
    )
    .get(
      '/throughput',
      operation({
        summary: 'Jobs done by the hour',
        answers: {
          200: {
            description: 'A point for each hour, oldest first; the last is the hour that is under way.',
            schema: z.object({ data: z.array(Throughput) }),
            example: { data: [{ period: '2026-11-26T09:00:00.000Z', completed: 94, failed: 1 }] },
          },
        },
      }),
      validate('query', ThroughputQuery),
      async (c) => c.json({ data: await readThroughput(sql, c.req.valid('query')) }),
    )
    .get(
      '/minutes',
      operation({
        summary: 'Jobs done by the minute',
        answers: {
          200: {
            description: 'A point for each minute, oldest first; the last is the minute that is under way.',
            schema: z.object({ data: z.array(Minute) }),
            example: { data: [{ period: '2026-11-26T09:01:00.000Z', succeeded: 42, failed: 1 }] },
          },
        },
      }),
      validate('query', MinutesQuery),
      async (c) => c.json({ data: await readMinutes(sql, c.req.valid('query')) }),
    )
    .get(
      '/latency',
      operation({
        summary: 'Waiting and run times by the minute',
        answers: {
          200: {
            description:
              'A point for each minute, oldest first: of the last 1,000 finished jobs of each, or of fewer (250) where the minutes are many (60).',
            schema: z.object({ data: z.array(MinuteLatency) }),
            example: {
              data: [
                {
                  period: '2026-11-26T09:01:00.000Z',
                  wait: { p50: 0.004, p95: 0.02 },
                  run: { p50: 1.2, p95: 3.4 },
                },
              ],
            },
          },
        },
      }),
      validate('query', LatencyQuery),
      async (c) => c.json({ data: await readLatency(sql, c.req.valid('query')) }),
    )
    .get(
      '/performance',
      operation({
        summary: 'Rates and mean times of all jobs',
        answers: {
          200: {
            description: 'As in the metrics of all jobs.',
            schema: Performance,
            example: examplePerformance,
          },
        },
      }),
      async (c) => c.json((await readOverall()).performance),
    )
}
