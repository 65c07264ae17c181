import { expect, test } from 'vitest'
import { type CapturedLine, CapturedOutput } from '../../../worker/captured-output.ts'

function capture(limitBytes = 1_000_000) {
  const lines: CapturedLine[] = []
  const output = new CapturedOutput(limitBytes, (line) => lines.push(line))
  const write = (text: string | Uint8Array, stream: 'stdout' | 'stderr' = 'stdout') =>
    output.write(stream, typeof text === 'string' ? Buffer.from(text) : text)
  return { output, write, texts: () => lines.map(({ text }) => text), lines }
}

test('lines are whole, however the bytes come, and streams do not mix', () => {
  const { output, write, lines } = capture()
  const bytes = Buffer.from('grün\nund')
  write(bytes.subarray(0, 3))
  write('an error\n', 'stderr')
  write(bytes.subarray(3))
  output.end()
  expect(lines.map(({ stream, text }) => [stream, text])).toEqual([
    ['stderr', 'an error'],
    ['stdout', 'grün'],
    ['stdout', 'und'],
  ])
})

test('a line that does not end is cut, and nothing of it is lost', () => {
  const { output, write, texts } = capture()
  const text = Array.from({ length: 30_000 }, (_, n) => n % 10).join('')
  for (let at = 0; at < text.length; at += 7000) write(text.slice(at, at + 7000))
  output.end()
  expect(texts().length).toBeGreaterThan(3)
  expect(Math.max(...texts().map(({ length }) => length))).toBeLessThanOrEqual(8192)
  expect(texts().join('')).toBe(text)
})

test('what is over the limit is counted and noted once; empty lines are not free', () => {
  const { output, write, texts } = capture(1000)
  write('\n'.repeat(50_000))
  write('more\n')
  output.log('info', 'more', {})
  output.dropped(7)
  output.end()
  expect(texts()).toHaveLength(21)
  expect(texts().at(-1)).toBe(
    `${50_000 - 20 + 5 + 5 + 7} bytes of output are not kept: the limit is 1000 bytes.`,
  )
})

test('the last 200 lines are at hand, also those that are not kept', () => {
  const { output, write } = capture(0)
  for (let n = 0; n < 5000; n++) write(`line ${n}\n`)
  output.log('error', 'the end', { code: 1 })
  const last = output.lastLines()
  expect(last).toHaveLength(200)
  expect(last.slice(-2)).toEqual(['line 4999', 'error: the end {"code":1}'])
})

test('the last lines are bounded in bytes, and memory with them', () => {
  const { output, write } = capture(0)
  for (let n = 0; n < 100; n++) write('x'.repeat(50_000))
  write('\nshort\n')
  expect(output.lastLines().join('\n').length).toBeLessThanOrEqual(64 * 1024)
  expect(output.lastLines().at(-1)).toBe('short')
})
