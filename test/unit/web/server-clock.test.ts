import { afterEach, beforeEach, expect, test, vi } from 'vitest'

const start = Date.parse('2030-01-01T12:00:00.000Z')
let clock: typeof import('../../../web/server-clock.ts')

beforeEach(async () => {
  vi.useFakeTimers({ now: start })
  vi.resetModules()
  clock = await import('../../../web/server-clock.ts')
})
afterEach(() => {
  vi.useRealTimers()
})

/** By a server whose clock is so far before ours, half of the time after the request was sent. */
function hear(aheadMs: number, { tookMs = 40, lagMs = 0, cache = 'no-store' } = {}): void {
  const sentAt = Date.now()
  vi.advanceTimersByTime(tookMs / 2)
  const date = new Date(Date.now() + aheadMs - lagMs).toUTCString()
  vi.advanceTimersByTime(tookMs / 2)
  clock.noteServerTime({ headers: new Headers({ date, 'cache-control': cache }) }, sentAt)
}

const ahead = () => clock.serverNow() - Date.now()

test('a clock that is right stays as it is, however the seconds fall', () => {
  for (let round = 0; round < 50; round++) {
    hear(0, { lagMs: (round * 190) % 1000 })
    vi.advanceTimersByTime(137)
    expect(ahead()).toBe(0)
  }
})

test.each([-7_200_000, -300_000, 90_000])('a clock that is %i ms off is seen through', (off) => {
  hear(off)
  expect(Math.abs(ahead() - off)).toBeLessThan(1100)
  for (let round = 0; round < 50; round++) {
    vi.advanceTimersByTime(137)
    hear(off)
  }
  expect(Math.abs(ahead() - off)).toBeLessThan(600)
})

test('a clock that is set while one looks is followed', () => {
  for (let round = 0; round < 20; round++) hear(0)
  hear(60_000)
  expect(Math.abs(ahead() - 60_000)).toBeLessThan(1100)
})

test('what a cache may have kept says nothing about now', () => {
  hear(-3_600_000, { cache: 'max-age=3600' })
  expect(ahead()).toBe(0)
})
