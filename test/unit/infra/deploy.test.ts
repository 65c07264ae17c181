import { expect, test } from 'vitest'
import { run } from '../../support/run.ts'

test.each([
  ['without a stage', []],
  ['for a stage that does not exist', ['--stage', 'production']],
])('`bun run deploy` %s says which there are, and builds nothing', async (_, words) => {
  const { status, output, errors } = await run([process.execPath, 'infra/deploy.ts', ...words])
  expect({ status, output }).toEqual({ status: 2, output: '' })
  expect(errors).toMatch(/is none of dev, prod\.\n\nUsage: bun run deploy -- --stage STAGE/)
})
