import { expect, test } from 'vitest'
import { LastLines } from '../../../../jobs/video/last-lines.ts'

function shown(...lines: string[]): string[] {
  const last = new LastLines('/scratch/17')
  for (const line of lines) last.add(line)
  return last.shown()
}

test('no link is shown: it may carry a signature', () => {
  const link = 'https://s3.example/bucket/sources/1?X-Amz-Signature=0123'
  expect(shown(`[https @ 0x1] ${link}: HTTP error 403`)).toEqual(['[https] <link> HTTP error 403'])
  expect(shown(`Input #0, mov, from '${link}':`)).toEqual(["Input #0, mov, from '<link>':"])
})

test('no path of the worker is shown', () => {
  expect(shown('file:/scratch/17/source: Invalid data')).toEqual(['file:source: Invalid data'])
})

test('what is said though all goes well is left out', () => {
  const lines = [
    '[info] Stream mapping:',
    '[libx264 @ 0x1a] [info] profile High',
    '[h264 @ 0x1a] [error] bad',
  ]
  expect(shown(...lines)).toEqual(['[h264] [error] bad'])
})

test('there are forty lines of 300 characters, the last', () => {
  const lines = shown(...Array.from({ length: 100 }, (_, number) => `${number} ${'x'.repeat(1000)}`))
  expect(lines).toHaveLength(40)
  expect(lines[0]).toMatch(/^60 x{295,}…$/)
  expect(Math.max(...lines.map(({ length }) => length))).toBe(300)
})
