/**
 * `bun run deploy -- --stage prod`: builds the functions and hands over to the CDK. What follows the stage goes to
 * `cdk deploy`; `--diff` shows what would change, `--synth` writes the templates and needs no account.
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { stageOf } from './stages.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values, tokens } = parseArgs({
  args: process.argv.slice(2),
  strict: false,
  tokens: true,
  options: { stage: { type: 'string' }, diff: { type: 'boolean' }, synth: { type: 'boolean' } },
})
const ours = new Set(['stage', 'diff', 'synth'])
const rest = tokens.flatMap((token) => {
  if (token.kind !== 'option') return token.kind === 'positional' ? [token.value] : []
  if (ours.has(token.name)) return []
  return token.value === undefined ? [token.rawName] : [`${token.rawName}=${token.value}`]
})

try {
  stageOf(values.stage)
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n\nUsage: bun run deploy -- --stage STAGE`)
  process.exit(2)
}
for (const bundle of ['function', 'scheduler', 'migrate']) await run('scripts/build.ts', bundle)
const verb = values.synth ? ['synth', '--quiet'] : values.diff ? ['diff'] : ['deploy', '--all']
const app = `${process.execPath} ${root}infra/app.ts`
await run(
  'node_modules/aws-cdk/bin/cdk',
  ...verb,
  '--app',
  app,
  '--context',
  `stage=${values.stage}`,
  ...rest,
)

async function run(...command: string[]): Promise<void> {
  const child = Bun.spawn([process.execPath, ...command], {
    cwd: root,
    stdio: ['inherit', 'inherit', 'inherit'],
  })
  if ((await child.exited) !== 0) process.exit(child.exitCode ?? 1)
}
