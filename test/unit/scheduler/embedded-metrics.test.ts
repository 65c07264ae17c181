import { expect, test } from 'vitest'
import { embeddedMetrics } from '../../../scheduler/embedded-metrics.ts'

const measures = {
  waitingJobs: 6,
  runningJobs: 2,
  oldestWaitingSeconds: 12.5,
  workers: 2,
  slots: 4,
  deadLetters: 0,
}
const where = { namespace: 'JobServer/test', at: 1_700_000_000_000 }

test('every metric that is announced is there as a number, and every number is announced', () => {
  const { _aws, ...values } = embeddedMetrics(measures, where)
  expect(_aws.Timestamp).toBe(1_700_000_000_000)
  expect(_aws.CloudWatchMetrics).toHaveLength(1)
  const [directive] = _aws.CloudWatchMetrics
  expect(directive).toMatchObject({ Namespace: 'JobServer/test', Dimensions: [[]] })
  expect(directive?.Metrics.map(({ Name }) => Name).toSorted()).toEqual(Object.keys(values).toSorted())
  for (const value of Object.values(values)) expect(value).toBeTypeOf('number')
})

test.each([
  ['twice as many jobs as slots', {}, 200],
  ['as many as slots', { waitingJobs: 2 }, 100],
  ['no job', { waitingJobs: 0, runningJobs: 0 }, 0],
  ['jobs and no slots, which nothing can be divided by', { slots: 0 }, 0],
])('the use of slots with %s', (_, changed, percent) => {
  expect(embeddedMetrics({ ...measures, ...changed }, where).slotUsePercent).toBe(percent)
})
