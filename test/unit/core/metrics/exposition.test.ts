import { expect, test } from 'vitest'
import { exposition, family, histogram } from '../../../../core/metrics/exposition.ts'

test('label values and help are escaped, and labels left out where there are none', () => {
  const text = exposition([
    family('gauge', 'a', 'back\\slash and\nnewline', [{ labels: { l: 'say "hi"\\\n' }, value: 1.5 }]),
    family('counter', 'b_total', 'plain', [{ value: 2 }]),
  ])
  expect(text).toBe(
    [
      '# HELP a back\\\\slash and\\nnewline',
      '# TYPE a gauge',
      'a{l="say \\"hi\\"\\\\\\n"} 1.5',
      '# HELP b_total plain',
      '# TYPE b_total counter',
      'b_total 2',
      '',
    ].join('\n'),
  )
})

test('buckets of a histogram are cumulative, and the same for every series', () => {
  const text = exposition([
    histogram('h', 'x', [
      { labels: { q: 'a' }, le: Number.POSITIVE_INFINITY, count: 1, sum: 9 },
      { labels: { q: 'a' }, le: 1, count: 2, sum: 1.5 },
      { labels: { q: 'b' }, le: 5, count: 4, sum: 8 },
    ]),
  ])
  expect(text.split('\n').slice(2, -1)).toEqual([
    'h_bucket{q="a",le="1"} 2',
    'h_bucket{q="a",le="5"} 2',
    'h_bucket{q="a",le="+Inf"} 3',
    'h_sum{q="a"} 10.5',
    'h_count{q="a"} 3',
    'h_bucket{q="b",le="1"} 0',
    'h_bucket{q="b",le="5"} 4',
    'h_bucket{q="b",le="+Inf"} 4',
    'h_sum{q="b"} 8',
    'h_count{q="b"} 4',
  ])
})

test('a histogram of nothing has no samples', () => {
  expect(exposition([histogram('h', 'x', [])])).toBe('# HELP h x\n# TYPE h histogram\n')
})
