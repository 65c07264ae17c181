/** `bun run keys create|list|revoke`: the API's keys. */
import { parseArgs } from 'node:util'
import { openPool, type Pool } from '../core/db.ts'
import { isId } from '../core/ids.ts'
import { createKey } from '../core/keys/create.ts'
import { type ApiKey, type Scope, scopes } from '../core/keys/key.ts'
import { listKeys } from '../core/keys/read.ts'
import { revokeKey } from '../core/keys/revoke.ts'
import { commandConfig, tableLines, UsageError } from './command-line.ts'

const usage = `Usage
  bun run keys create NAME [--scopes read,enqueue] [--expires-in-days N]
      makes a key and prints it: it is shown this once. Scopes: read (the default), enqueue,
      admin (which includes the others)
  bun run keys list [--json]
  bun run keys revoke ID`

const commands: Record<string, (sql: Pool, words: string[], options: Options) => Promise<void>> = {
  create: async (sql, [name], options) => {
    if (name === undefined || name.length > 100)
      throw new UsageError('A key needs a NAME of 1 to 100 letters.')
    const wanted = { name, scopes: scopesOf(options.scopes ?? 'read'), expiresInDays: daysOf(options) }
    const { key, secret } = await createKey(sql, wanted)
    console.log(
      `${secret}\n\nKey ${key.id} "${key.name}", ${key.scopes.join(', ')}. It will not be shown again.`,
    )
  },
  list: async (sql, _words, { json }) => {
    const keys = await listKeys(sql)
    if (json) console.log(JSON.stringify(keys, null, 2))
    else for (const line of table(keys)) console.log(line)
  },
  revoke: async (sql, [id]) => {
    if (id === undefined || !isId(id))
      throw new UsageError('Which key? Its ID stands in `bun run keys list`.')
    const key = await revokeKey(sql, id)
    if (key === null) throw new UsageError(`There is no key ${id}.`)
    console.log(`Key ${key.id} "${key.name}" is revoked; running APIs forget it within seconds.`)
  },
}

process.exit(await main())

/** @returns the exit status */
async function main(): Promise<number> {
  try {
    const { words, options } = read(process.argv.slice(2))
    const [name = '', ...rest] = words
    if (options.help) {
      console.log(usage)
      return 0
    }
    const command = commands[name]
    if (command === undefined) throw new UsageError(name === '' ? 'No command.' : `No command "${name}".`)
    const sql = openPool(await commandConfig(), 'job-server keys')
    try {
      await command(sql, rest, options)
      return 0
    } finally {
      await sql.end({ timeout: 1 })
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`${error.message}\n\n${usage}`)
    return 2
  }
}

type Options = ReturnType<typeof read>['options']

function read(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        scopes: { type: 'string' },
        'expires-in-days': { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    return { words: positionals, options: values }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function scopesOf(text: string): Scope[] {
  const wanted = [...new Set(text.split(',').map((word) => word.trim()))]
  const unknown = wanted.find((word) => !scopes.some((scope) => scope === word))
  if (unknown !== undefined) throw new UsageError(`"${unknown}" is no scope.`)
  return scopes.filter((scope) => wanted.includes(scope))
}

function daysOf({ 'expires-in-days': text }: Options): number | undefined {
  if (text === undefined) return undefined
  const days = Number(text)
  if (!(days > 0 && days <= 36_500)) throw new UsageError('--expires-in-days takes a number of days.')
  return days
}

function table(keys: ApiKey[]): string[] {
  return tableLines(
    keys.map((key) => [
      key.id,
      key.name,
      key.prefix,
      key.scopes.join(','),
      stateOf(key),
      key.lastUsedAt === null ? 'never used' : `used ${key.lastUsedAt.toISOString()}`,
    ]),
  )
}

function stateOf({ revokedAt, expiresAt }: ApiKey): string {
  if (revokedAt !== null) return 'revoked'
  if (expiresAt === null) return 'valid'
  return expiresAt > new Date() ? `valid until ${expiresAt.toISOString()}` : 'expired'
}
