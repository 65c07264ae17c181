/** `bun run config`: writes the table of the configuration into README; with `--check` it only says whether it is there. */
import { fileURLToPath } from 'node:url'
import { withConfigTable } from './config-table.ts'

const readme = fileURLToPath(new URL('../README.md', import.meta.url))
const text = await Bun.file(readme).text()
const wanted = withConfigTable(text)
if (wanted === text) console.log('The table of the configuration in README.md is up to date.')
else if (process.argv.includes('--check')) {
  console.error('The table of the configuration in README.md is out of date; `bun run config` writes it.')
  process.exitCode = 1
} else {
  await Bun.write(readme, wanted)
  console.log('Wrote the table of the configuration into README.md.')
}
