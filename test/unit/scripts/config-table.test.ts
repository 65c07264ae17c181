import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { configFields } from '../../../core/config.ts'
import { withConfigTable } from '../../../scripts/config-table.ts'

const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8')

test("README's table of the configuration is up to date", () => {
  expect(withConfigTable(readme), 'bun run config').toBe(readme)
})

test('the table has a row for every field, with what it takes, its default and its meaning', () => {
  const [, table = ''] = readme.split(/<!-- \/?configuration[^>]*-->/)
  const rows = table.split('\n').filter((line) => line.startsWith('| `'))
  expect(rows).toHaveLength(Object.keys(configFields).length)
  expect(rows).toContain(
    `| \`DATABASE_POOL_SIZE\` | an integer from 1 to 100 | \`4\` | ${configFields.DATABASE_POOL_SIZE.about} |`,
  )
})

test('a row that someone edited is put right', () => {
  const edited = readme.replace('`DATABASE_POOL_SIZE` |', '`DATABASE_POOL_SIZE` | edited')
  expect(edited).not.toBe(readme)
  expect(withConfigTable(edited)).toBe(readme)
})

test('a text without a place for the table is refused', () => {
  expect(() => withConfigTable('# Another file')).toThrow('expected the lines')
})
