import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterAll, expect, test } from 'vitest'
import { ChildProgram } from '../../../worker/child-program.ts'

const log = pino({ level: 'silent' })
const root = await mkdtemp(join(tmpdir(), 'job-server-program-test-'))
afterAll(() => rm(root, { recursive: true, force: true }))

test('the program stands ready with its bytecode after start, and nothing is left after stop', async () => {
  const program = new ChildProgram(root, log)
  await program.start()
  const [file = ''] = program.command
  expect(file.startsWith(program.directory)).toBe(true)
  expect(existsSync(`${file}.jsc`)).toBe(true)
  await program.stop()
  await program.stop()
  expect(existsSync(program.directory)).toBe(false)
})

test('where it can not be made, job processes run from sources', async () => {
  const program = new ChildProgram('/dev/null', log)
  await program.start()
  expect(program.command[0]).toMatch(/worker\/child\.ts$/)
  await program.stop()
})
