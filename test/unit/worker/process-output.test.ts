import { expect, test } from 'vitest'
import { endOfOutput } from '../../../worker/end-of-output.ts'
import { ProcessOutput } from '../../../worker/process-output.ts'

/** @returns what each run is told to have written, and which have said that they write no more */
async function sectionsOf(chunks: string[], runs: number[]) {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const output = new ProcessOutput(readable)
  const written: Record<number, string> = {}
  const ended: number[] = []
  for (const run of runs) {
    const decoder = new TextDecoder()
    written[run] = ''
    void output
      .expect(run, (chunk) => (written[run] += decoder.decode(chunk, { stream: true })))
      .then(() => ended.push(run))
  }
  const writer = writable.getWriter()
  for (const chunk of chunks) await writer.write(Buffer.from(chunk))
  await writer.close()
  await output.done
  return { written, ended }
}

test('each run gets what it wrote, wherever the stream is cut', async () => {
  const whole = `first\n${endOfOutput(1)}${endOfOutput(2)}no end${endOfOutput(3)}last\n`
  for (let cut = 1; cut < whole.length; cut++) {
    const { written, ended } = await sectionsOf([whole.slice(0, cut), whole.slice(cut)], [1, 2, 3, 4])
    expect(written, `cut at ${cut}`).toEqual({ 1: 'first\n', 2: '', 3: 'no end', 4: 'last\n' })
    expect(ended).toEqual([1, 2, 3])
  }
})

test('what looks like an end and is none belongs to the run', async () => {
  const text = '\0\0end of run \0end of run x\0end of run 123456789012345678901234567890\0\0end of run 1'
  expect(await sectionsOf([text], [1])).toEqual({ written: { 1: text }, ended: [] })
})

test('an end of another run is not the end of this one', async () => {
  const { written, ended } = await sectionsOf([`a${endOfOutput(7)}b`], [1, 7])
  expect(written).toEqual({ 1: 'ab', 7: '' })
  expect(ended).toEqual([])
})
