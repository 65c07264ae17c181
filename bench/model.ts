/**
 * `bun run bench:model`: measures what a job takes of PostgreSQL and writes bench/model.md: what one primary carries, and
 * what to do beyond. Every figure there is measured here or computed from such by the arithmetic beside it.
 */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { currentLoad, readCircumstances } from './circumstances.ts'
import { measureJobCosts } from './job-costs.ts'
import { modelText } from './model-text.ts'
import { circumstancesText } from './report.ts'
import { BenchStack } from './stack.ts'

const file = fileURLToPath(new URL('./model.md', import.meta.url))

const loadAverage = currentLoad()
const stack = new BenchStack(process.env)
const onStep = (step: string) => console.error(`… ${step}`)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, async () => {
    await stack.stop()
    process.exit(1)
  })
}
try {
  await stack.start()
  const database = await stack.openDatabase()
  const circumstances = await readCircumstances(database.sql, { ffmpeg: stack.tools.ffmpeg, loadAverage })
  await database.close()
  const costs = await measureJobCosts(stack, onStep)
  await writeFile(file, modelText(circumstancesText(circumstances), costs))
  onStep(`wrote ${file}`)
} finally {
  await stack.stop()
}
process.exit()
