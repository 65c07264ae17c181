import { expect, test } from 'vitest'
import { wantedPieces } from '../../../../../jobs/video/segments/decide.ts'

test.each([
  { what: 'a short video is not divided, however many are free', seconds: 119, freeSlots: 64, pieces: 1 },
  { what: 'nor is one below half an hour when nobody is free', seconds: 1799, freeSlots: 0, pieces: 1 },
  { what: 'a longer one is: a job has hours, not days', seconds: 1800, freeSlots: 0, pieces: 6 },
  { what: 'each slot gets a piece, the one that is given up too', seconds: 600, freeSlots: 3, pieces: 4 },
  { what: 'no piece is shorter than half a minute', seconds: 150, freeSlots: 64, pieces: 5 },
  { what: 'none is longer than five minutes', seconds: 3600, freeSlots: 1, pieces: 12 },
  { what: 'there are 256 at most', seconds: 12 * 3600 * 10, freeSlots: 1, pieces: 256 },
])('$what', ({ seconds, freeSlots, pieces }) => {
  expect(wantedPieces('auto', { durationSeconds: seconds, freeSlots })).toBe(pieces)
})

test('who names a number, or none, is not overruled', () => {
  expect(wantedPieces(7, { durationSeconds: 10, freeSlots: 0 })).toBe(7)
  expect(wantedPieces('off', { durationSeconds: 7200, freeSlots: 64 })).toBe(1)
})
