/** Reads what the workers registered: the API validates and lists by it, without loading any job code. */
import type { Sql } from '../db.ts'
import type { JsonObject } from '../json.ts'
import { internalDefinitions, isInternal } from './internal.ts'
import { definitionName } from './name.ts'

export interface DefinitionView {
  key: string
  version: number
  defaultMaxAttempts: number
  timeoutSeconds: number
  concurrencyLimit: number | null
  queue: string
  /** JSON Schema of the parameters. */
  paramsSchema: JsonObject
}

export interface RegisteredDefinition extends DefinitionView {
  keyConcurrencyLimit: number
  /** Another after each change of it: the xmin of its row. */
  stamp: string
}

/** All registered definitions but our own, by key and version. */
export async function listDefinitions(sql: Sql): Promise<DefinitionView[]> {
  return await sql<DefinitionView[]>`
    select key, version, default_max_attempts, timeout_seconds, concurrency_limit, queue, params_schema
    from job_server.definitions
    where key <> all(${internalDefinitions}::text[])
    order by key, version`
}

/**
 * Those that the inputs name, by `key@version`; the version is 1 where none is given. Read on connections of others too,
 * hence the quoted names, and the schema as text: such a connection may rename what stands in JSON too.
 * @param options.internal whether there are definitions of our own, too
 * @param options.hold keeps them from being removed until the transaction has ended
 */
export async function readDefinitions(
  sql: Sql,
  inputs: { definitionKey: string; definitionVersion?: number }[],
  options: { internal?: boolean; hold?: boolean } = {},
): Promise<Map<string, RegisteredDefinition>> {
  const names = new Map(
    inputs
      .filter(({ definitionKey }) => options.internal || !isInternal(definitionKey))
      .map(({ definitionKey: key, definitionVersion: version = 1 }) => [
        definitionName({ key, version }),
        { key, version },
      ]),
  )
  const keys = [...names.values()].map(({ key }) => key)
  const versions = [...names.values()].map(({ version }) => version)
  const rows = await sql<(Omit<RegisteredDefinition, 'paramsSchema'> & { schema: string })[]>`
    select
      key, version, default_max_attempts as "defaultMaxAttempts", timeout_seconds as "timeoutSeconds",
      concurrency_limit as "concurrencyLimit", queue, key_concurrency_limit as "keyConcurrencyLimit",
      params_schema::text as schema, definitions.xmin::text as stamp
    from job_server.definitions
    join unnest(${keys}::text[], ${versions}::int[]) as wanted (key, version) using (key, version)
    ${options.hold ? sql`for key share of definitions` : sql``}`
  return new Map(
    rows.map(({ schema, ...row }) => [definitionName(row), { ...row, paramsSchema: JSON.parse(schema) }]),
  )
}
