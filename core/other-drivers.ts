/**
 * Our statements over another driver than postgres.js, for programs that enqueue inside transactions of their own. Of
 * what postgres.js can do there is here what those statements need: fragments within statements, lists, and JSON.
 *
 * A driver gets text and numbers only, lists and JSON as text that the statement casts: what drivers make of these differs.
 * `$1`, `$2`, … stand in the statement in this order, each once and nothing else like them, so that it can be put into a
 * template of another library.
 */
import type { Sql } from './db.ts'

/** What `pg` has: a client on which a transaction is open. */
export interface QueryClient {
  query(text: string, values: QueryValue[]): Promise<{ rows: unknown[] }>
}

export type QueryValue = string | number | boolean | null

/** For statements that need no more than this file has; others throw. */
export function sqlOver(client: QueryClient): Sql {
  const sql = (strings: TemplateStringsArray, ...parts: unknown[]) => {
    if (!Array.isArray(strings)) throw new TypeError('over another driver, only templates are statements')
    return new Statement(client, strings, parts)
  }
  return Object.assign(sql, { json: (value: unknown) => new AsJson(value) }) as unknown as Sql
}

/**
 * What takes several statements takes a transaction; postgres.js alone says whether a connection has one.
 * @throws TypeError for another driver's pool, or client without a transaction
 */
export async function requireTransaction(sql: Sql): Promise<void> {
  if ('begin' in sql || 'savepoint' in sql) return
  try {
    // PostgreSQL refuses it outside of transactions. A transaction that has read the table holds this lock already.
    await (sql as Sql)`lock table job_server.definitions in access share mode`
  } catch (cause) {
    if (!hasState(cause, '25P01')) throw cause
    throw new TypeError(
      'With dependencies, stored objects in its parameters, or several jobs under keys, an enqueue needs a client on which a transaction is open.',
      { cause },
    )
  }
}

/** Bun's client has it as `errno`; some libraries wrap the errors of the driver below. */
function hasState(error: unknown, sqlstate: string): boolean {
  if (!(error instanceof Error)) return false
  const states = ['code' in error && error.code, 'errno' in error && error.errno]
  return states.includes(sqlstate) || hasState(error.cause, sqlstate)
}

class AsJson {
  constructor(readonly value: unknown) {}
}

/** Sent when it is awaited; a part of another until then. */
class Statement implements PromiseLike<unknown[]> {
  constructor(
    private readonly client: QueryClient,
    private readonly strings: readonly string[],
    private readonly parts: unknown[],
  ) {}

  // biome-ignore lint/suspicious/noThenProperty: it is awaited as postgres.js's statements are
  then<Rows = unknown[], Problem = never>(
    done?: ((rows: unknown[]) => Rows | PromiseLike<Rows>) | null,
    failed?: ((error: unknown) => Problem | PromiseLike<Problem>) | null,
  ): Promise<Rows | Problem> {
    return this.#send().then(done, failed)
  }

  async #send(): Promise<unknown[]> {
    const values: QueryValue[] = []
    const { rows } = await this.client.query(this.#text(values), values)
    return rows
  }

  #text(values: QueryValue[]): string {
    return this.strings.reduce((text, string, place) => {
      const part = this.parts[place - 1]
      return text + (part instanceof Statement ? part.#text(values) : parameter(part, values)) + string
    })
  }
}

function parameter(part: unknown, values: QueryValue[]): string {
  const place = (value: QueryValue) => `$${values.push(value)}`
  if (part instanceof AsJson) return `${place(JSON.stringify(part.value))}::text::jsonb`
  if (Array.isArray(part)) return `${place(`{${part.map(arrayElement).join(',')}}`)}::text`
  if (part === null || ['string', 'number', 'boolean'].includes(typeof part)) return place(part as QueryValue)
  throw new TypeError(`over another driver, ${typeof part} is no parameter`)
}

/** In the text of an array, https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO. */
function arrayElement(element: unknown): string {
  return `"${String(element).replaceAll(/["\\]/g, '\\$&')}"`
}
