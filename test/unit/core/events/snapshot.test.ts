import fc from 'fast-check'
import { expect, test } from 'vitest'
import { beginning, cursorText, parseCursor } from '../../../../core/events/cursor.ts'
import {
  below,
  parseSnapshot,
  type Snapshot,
  sees,
  snapshotText,
  union,
} from '../../../../core/events/snapshot.ts'

/** Small, so that transactions of two meet. */
const xid = fc.bigInt(1n, 30n)
const snapshot: fc.Arbitrary<Snapshot> = fc
  .tuple(xid, fc.uniqueArray(xid, { maxLength: 6 }))
  .map(([xmax, xids]) => {
    const running = xids.filter((other) => other < xmax).sort((a, b) => (a < b ? -1 : 1))
    return { xmin: running[0] ?? xmax, xmax, running }
  })

test('a union sees what either sees', () => {
  fc.assert(
    fc.property(snapshot, snapshot, xid, (a, b, one) => {
      expect(sees(union(a, b), one)).toBe(sees(a, one) || sees(b, one))
    }),
  )
})

test('what is below sees the same up to there and nothing from there on', () => {
  fc.assert(
    fc.property(snapshot, xid, xid, (whole, bound, one) => {
      expect(sees(below(whole, bound), one)).toBe(one < bound && sees(whole, one))
    }),
  )
})

test('snapshots and cursors are read back as they were written', () => {
  fc.assert(
    fc.property(snapshot, snapshot, fc.bigInt(0n, 10n ** 17n), (seen, other, upTo) => {
      expect(parseSnapshot(snapshotText(seen))).toEqual(seen)
      expect(parseSnapshot(snapshotText(union(seen, other)))).toEqual(union(seen, other))
      const cursor = { seen, partial: { snapshot: other, upTo } }
      expect(parseCursor(cursorText(cursor))).toEqual(cursor)
    }),
  )
  expect(parseCursor(cursorText(beginning))).toEqual(beginning)
})

test.each([
  '',
  '42',
  '1:2',
  '2:1:',
  '1:5:7',
  '1:5:3,2',
  '1:5:2,2',
  '0:5:',
  '1:5:/',
  '1:5:/1:5:',
  '1:5:/1:5:/x',
  '1:5:/1:5:/3/4',
  '1:5: ',
  "1:5:'",
  `1:5:${'2,'.repeat(10_000)}3`,
])('%s is no cursor', (text) => {
  expect(parseCursor(text)).toBeNull()
})
