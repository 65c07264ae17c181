import { expect, test } from 'vitest'
import { LaneCursors } from '../../../../core/queue/lane-cursors.ts'

const since = '2026-01-01T12:00:00.000000Z'
const lane = { queue: 'default', definitionKey: 'test', definitionVersion: 1 }

/** Ranges of the one lane. */
function rangesOf(cursors: LaneCursors) {
  return cursors.ranges.default?.test?.[1]
}

test('of a lane without jobs only is said since when there may be some', () => {
  const cursors = new LaneCursors()
  cursors.looked(cursors.known, [{ lane, jobs: [] }], 50, since)
  expect(rangesOf(cursors)).toEqual([{ place: 0, turn_at: since }])
})

test('ranges lie one below the other, from the highest priority to the lowest', () => {
  const cursors = new LaneCursors()
  const turnAt = '2026-01-01T11:00:00.000000Z'
  cursors.claimed(
    [
      { ...lane, id: 'a', priority: 5, turnAt },
      { ...lane, id: 'b', priority: 0, turnAt },
    ],
    since,
  )
  expect(rangesOf(cursors)).toEqual([
    { place: 0, lowest: 6, turn_at: since },
    { place: 1, highest: 5, lowest: 5, turn_at: turnAt, id: 'a' },
    { place: 2, highest: 4, lowest: 1, turn_at: since },
    { place: 3, highest: 0, lowest: 0, turn_at: turnAt, id: 'b' },
    { place: 4, highest: -1 },
  ])
})
