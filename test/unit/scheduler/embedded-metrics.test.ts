import { expect, test } from 'vitest'
import { embeddedMetrics } from '../../../scheduler/embedded-metrics.ts'

const measures = {
  waitingJobs: 6,
  runningJobs: 2,
  wantedSlots: 8,
  oldestWaitingSeconds: 12.5,
  unservedJobs: 0,
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
  ['twice as many wanted as there are', {}, 200],
  ['as many as slots', { wantedSlots: 4 }, 100],
  ['none wanted, whatever waits', { wantedSlots: 0 }, 0],
  ['jobs and no slots, which nothing can be divided by', { slots: 0 }, 0],
])('the use of slots with %s', (_, changed, percent) => {
  expect(embeddedMetrics({ ...measures, ...changed }, where).slotUsePercent).toBe(percent)
})
