/** `bun run keys create|list|revoke`: the API's keys. */
import { openPool, type Pool } from '../core/db.ts'
import { KeyNotFound } from '../core/errors.ts'
import { isId } from '../core/ids.ts'
import { createKey } from '../core/keys/create.ts'
import { type ApiKey, type Scope, scopes } from '../core/keys/key.ts'
import { listKeys } from '../core/keys/read.ts'
import { revokeKey } from '../core/keys/revoke.ts'
import { commandConfig, readWords, refuseMore, refuseOthers, tableLines, UsageError } from './command-line.ts'

const usage = `Usage
  bun run keys create NAME [--scopes read,enqueue] [--expires-in-days N]
      makes a key and prints it: it is shown this once. Scopes: read (the default), enqueue,
      admin (which includes the others)
  bun run keys list
  bun run keys revoke ID…     status 1 when one of them is no key; the others are revoked all the same
  --json prints answers for programs`

const known = {
  scopes: { type: 'string' },
  'expires-in-days': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

interface Options {
  scopes: string | undefined
  expiresInDays: string | undefined
  json: boolean
}

interface Command {
  mostWords: number
  /** What it takes beside --json. */
  options: (keyof typeof known)[]
  /** @returns the exit status */
  run(sql: Pool, words: string[], options: Options): Promise<number>
}

const commands: Record<string, Command> = {
  create: {
    mostWords: 1,
    options: ['scopes', 'expires-in-days'],
    run: async (sql, [name = ''], { scopes: wanted = 'read', expiresInDays, json }) => {
      if (name === '' || name.length > 100) throw new UsageError('A key needs a NAME of 1 to 100 letters.')
      const { key, secret } = await createKey(sql, {
        name,
        scopes: scopesOf(wanted),
        expiresInDays: daysOf(expiresInDays),
      })
      const forPeople = `${secret}\n\nKey ${key.id} "${key.name}", ${key.scopes.join(', ')}. It will not be shown again.`
      console.log(json ? JSON.stringify({ ...key, secret }) : forPeople)
      return 0
    },
  },
  list: {
    mostWords: 0,
    options: [],
    run: async (sql, _words, { json }) => {
      const keys = await listKeys(sql)
      if (json) console.log(JSON.stringify(keys, null, 2))
      else for (const line of table(keys)) console.log(line)
      return 0
    },
  },
  revoke: {
    mostWords: Number.POSITIVE_INFINITY,
    options: [],
    run: async (sql, ids, { json }) => {
      const wrong = ids.find((id) => !isId(id))
      if (ids.length === 0 || wrong !== undefined) {
        const which = wrong === undefined ? 'Which key?' : `Which key? "${wrong}" is no ID.`
        throw new UsageError(`${which} Its ID stands in \`bun run keys list\`.`)
      }
      let status = 0
      for (const id of new Set(ids)) status = Math.max(status, await revoke(sql, id, json))
      return status
    },
  },
}

process.exit(await main())

/** @returns the exit status: 1 when a key is not there, 2 for what was asked wrongly */
async function main(): Promise<number> {
  try {
    const { words, values } = readWords(process.argv.slice(2), known)
    const [name = '', ...rest] = words
    if (values.help) {
      console.log(usage)
      return 0
    }
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined
    if (command === undefined) throw new UsageError(name === '' ? 'No command.' : `No command "${name}".`)
    refuseMore(rest, command.mostWords)
    refuseOthers(name, values, ['json', ...command.options])
    const sql = openPool(await commandConfig(), 'job-server keys')
    try {
      return await command.run(sql, rest, optionsOf(values))
    } finally {
      await sql.end({ timeout: 1 })
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`${error.message}\n\n${usage}`)
    return 2
  }
}

function optionsOf(values: ReturnType<typeof readWords>['values']): Options {
  const text = (name: keyof typeof known) => {
    const value = values[name]
    return typeof value === 'string' ? value : undefined
  }
  return { scopes: text('scopes'), expiresInDays: text('expires-in-days'), json: values.json === true }
}

/** @returns the exit status */
async function revoke(sql: Pool, id: string, json: boolean): Promise<number> {
  const key = await revokeKey(sql, id)
  if (key === null) {
    const { code, message } = new KeyNotFound(id)
    if (json) console.log(JSON.stringify({ id, code, error: message }))
    console.error(message)
    return 1
  }
  const forPeople = `Key ${key.id} "${key.name}" is revoked; running APIs forget it within seconds.`
  console.log(json ? JSON.stringify(key) : forPeople)
  return 0
}

function scopesOf(text: string): Scope[] {
  const wanted = [...new Set(text.split(',').map((word) => word.trim()))]
  const unknown = wanted.find((word) => !scopes.some((scope) => scope === word))
  if (unknown !== undefined) throw new UsageError(`"${unknown}" is no scope.`)
  return scopes.filter((scope) => wanted.includes(scope))
}

function daysOf(text: string | undefined): number | undefined {
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
