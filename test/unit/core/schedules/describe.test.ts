import { expect, test } from 'vitest'
import { describe } from '../../../../core/schedules/describe.ts'

test.each([
  ['30 2 * * 1-5', 'At 02:30, Monday through Friday (Europe/Berlin)'],
  ['*/5 * * * * *', 'Every 5 seconds (Europe/Berlin)'],
  ['0 0 L * *', 'At 00:00, on the last day of the month (Europe/Berlin)'],
  ['0 0 * * 5#2', 'At 00:00, on the second Friday of the month (Europe/Berlin)'],
  ['@DAILY', 'At 00:00 (Europe/Berlin)'],
  ['0 0 ? * ?', 'At 00:00 (Europe/Berlin)'],
  ['0 0 1 * MON', 'At 00:00, on day 1 of the month, and on Monday (Europe/Berlin)'],
  ['0 0 1 * +MON', 'At 00:00, on day 1 of the month, only if on Monday (Europe/Berlin)'],
  ['0 0 * * 5#L', 'At the times of 0 0 * * 5#L (Europe/Berlin)'],
  ['every 90s', 'Every 1 minute 30 seconds'],
  ['every 1d', 'Every day'],
  ['every 250ms', 'Every 250 milliseconds'],
  ['2026-05-01T09:00:00', 'Once, on 2026-05-01 at 09:00:00 (Europe/Berlin)'],
  ['2026-05-01T09:00Z', 'Once, on 2026-05-01 at 09:00 (UTC)'],
  ['2026-05-01T09:00+05:30', 'Once, on 2026-05-01 at 09:00 (UTC+05:30)'],
])('%s: %s', (expression, text) => {
  expect(describe(expression, 'Europe/Berlin')).toBe(text)
})
