import { expect, test } from 'vitest'
import { dateTime } from '../../../web/ui/format.ts'

test.each([
  ['UTC', '1 Jul 2030, 23:30:00 UTC'],
  // The day after, there.
  ['Asia/Tokyo', '2 Jul 2030, 08:30:00 GMT+9'],
  ['America/New_York', '1 Jul 2030, 19:30:00 GMT-4'],
])('a time is told in the zone that is asked for, with its name: %s', (zone, told) => {
  expect(dateTime('2030-07-01T23:30:00Z', zone)).toBe(told)
})
