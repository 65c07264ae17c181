import fc from 'fast-check'
import { expect, test } from 'vitest'
import { newId } from '../../../../core/ids.ts'
import { dueTime } from '../../../../core/schedules/due.ts'

const time = new Date('2026-01-01T00:00:00Z')

test('the jitter lies within its bounds, and everybody comes to the same', () => {
  const ids = fc.uuid({ version: 7 })
  fc.assert(
    fc.property(ids, fc.double({ min: 0, max: 86_400, noNaN: true }), (id, jitterSeconds) => {
      const due = dueTime({ id, jitterSeconds }, time)
      expect(due.getTime()).toBeGreaterThanOrEqual(time.getTime())
      expect(due.getTime()).toBeLessThanOrEqual(time.getTime() + jitterSeconds * 1000)
      expect(dueTime({ id, jitterSeconds }, time)).toEqual(due)
    }),
  )
})

test('it spreads the schedules of one time', () => {
  const minutes = Array.from({ length: 600 }, () => {
    const due = dueTime({ id: newId(), jitterSeconds: 600 }, time)
    return Math.floor((due.getTime() - time.getTime()) / 60_000)
  })
  for (let minute = 0; minute < 10; minute++) {
    expect(minutes.filter((found) => found === minute).length).toBeGreaterThan(20)
  }
})
