/** What can be said of the images without building them; `bun run images:try` builds and runs them. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const dockerfile = await readFile(`${root}infra/images/Dockerfile`, 'utf8')
/** Instructions by stage, in order. */
const stages = new Map(
  dockerfile
    .split(/^FROM /m)
    .slice(1)
    .map((text) => [/ AS (\w+)/.exec(text)?.[1] ?? '', text.replaceAll(/\\\n\s*/g, '')]),
)

test('the images run the Bun that the project is locked to', async () => {
  const { devDependencies } = JSON.parse(await readFile(`${root}package.json`, 'utf8'))
  expect(/^ARG BUN_VERSION=(.*)$/m.exec(dockerfile)?.[1]).toBe(devDependencies.bun)
})

test.each(['api', 'worker', 'scheduler'])('%s runs as a user without rights and says how it is', (name) => {
  const own = stages.get(name) ?? ''
  const users = `${stages.get('runtime')}${own}`.match(/^USER .*$/gm)
  expect(users?.at(-1)).toBe('USER 10001:10001')
  expect(own).toMatch(new RegExp(`^HEALTHCHECK .*"scripts/is-alive.ts", "${name}"\\]$`, 'm'))
  expect(own).toMatch(/^CMD \["bun", "\w+\/\w+\.ts"\]$/m)
})

test('only the builder sees what the registry needs', () => {
  for (const name of ['runtime', 'api', 'worker', 'scheduler']) {
    expect(stages.has(name), name).toBe(true)
    expect(stages.get(name)).not.toMatch(/--mount=type=secret|\bnpm\b|bun install/)
  }
})
