/** The table of the configuration in README, made of the fields that `core/config.ts` parses by. */
import { configFields } from '../core/config.ts'

const begin = '<!-- configuration: written by `bun run config` -->'
const end = '<!-- /configuration -->'

/** @returns the text with its table as it should be. @throws Error when it has no place for the table */
export function withConfigTable(text: string): string {
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from === -1 || to < from) throw new Error(`expected the lines ${begin} and ${end}`)
  return `${text.slice(0, from + begin.length)}\n\n${configTable()}\n\n${text.slice(to)}`
}

function configTable(): string {
  const rows = Object.entries(configFields).map(([name, field]) => [
    `\`${name}\``,
    // What it says of a value that can't be one.
    field.schema.safeParse('').error?.issues[0]?.message.replace(/^expected /, '') ?? 'text',
    field.default === undefined ? 'required' : field.default ? `\`${field.default}\`` : '',
    field.about,
  ])
  return [['Name', 'Takes', 'Default', 'Meaning'], ['---', '---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n')
}
