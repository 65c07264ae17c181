/**
 * `bun run build:function`, `build:node`, `build:scheduler` and `build:migrate`: one file each, with all that it needs, into
 * `dist/` or a directory that is named. Beside those with an API in them lie the files of the dashboard.
 */
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { copyWeb } from './web-files.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const targets = {
  function: 'api/function.ts',
  node: 'api/node.ts',
  scheduler: 'scheduler/function.ts',
  migrate: 'infra/functions/migrate.ts',
}

const name = process.argv[2] ?? ''
if (!(name in targets)) {
  console.error(`Build what? One of ${Object.keys(targets).join(', ')}.`)
  process.exit(2)
}
const outdir = process.argv[3] ?? `${root}dist/${name}`
await rm(outdir, { recursive: true, force: true })
const { outputs } = await Bun.build({
  entrypoints: [root + targets[name as keyof typeof targets]],
  outdir,
  // Migrations lie beside the directory of the program that applies them.
  naming: name === 'migrate' ? 'migrate/index.mjs' : 'index.mjs',
  target: 'node',
  format: 'esm',
  minify: { whitespace: true, syntax: true },
})
if (name === 'migrate') await cp(`${root}migrations`, `${outdir}/migrations`, { recursive: true })
for (const { path, size } of outputs) console.log(`${path}  ${(size / 1024 ** 2).toFixed(2)} MB`)
if (name === 'function' || name === 'node') await copyWeb(join(outdir, 'web'))
