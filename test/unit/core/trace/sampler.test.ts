import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TraceContext } from '../../../../core/trace/context.ts'
import { createSampler, type SamplerName } from '../../../../core/trace/sampler.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const parent = (flags: number): TraceContext => ({ traceId, spanId: 'b7ad6b7169203331', flags, state: '' })

test.each<[SamplerName, TraceContext | null, boolean]>([
  ['always_on', null, true],
  ['always_on', parent(0), true],
  ['always_off', parent(1), false],
  ['parentbased_always_on', null, true],
  ['parentbased_always_on', parent(0), false],
  ['parentbased_always_off', null, false],
  ['parentbased_always_off', parent(1), true],
  ['parentbased_traceidratio', parent(1), true],
])('%s decides within %j', (name, within, expected) => {
  expect(createSampler(name, 0)(traceId, within)).toBe(expected)
})

describe('by ratio', () => {
  const traceIds = fc
    .array(fc.integer({ min: 0, max: 15 }), { minLength: 32, maxLength: 32 })
    .map((digits) => digits.map((digit) => digit.toString(16)).join(''))

  test('all or none at the ends', () => {
    fc.assert(fc.property(traceIds, (id) => createSampler('traceidratio', 1)(id, null)))
    fc.assert(fc.property(traceIds, (id) => !createSampler('traceidratio', 0)(id, null)))
  })

  test('who takes more takes what others take too', () => {
    fc.assert(
      fc.property(traceIds, (id) => {
        const taken = [0.1, 0.5, 0.9].map((ratio) => createSampler('traceidratio', ratio)(id, null))
        return taken.join() === [...taken].sort().join()
      }),
    )
  })

  test('about its share', () => {
    const ids = Array.from({ length: 20_000 }, () => Bun.randomUUIDv7().replaceAll('-', ''))
    const taken = ids.filter((id) => createSampler('parentbased_traceidratio', 0.25)(id, null)).length
    expect(taken / ids.length).toBeGreaterThan(0.2)
    expect(taken / ids.length).toBeLessThan(0.3)
  })
})
