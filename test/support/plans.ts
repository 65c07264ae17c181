/**
 * What statements read, in pages: the same number on every machine. They are the ones that the verbs really send,
 * explained as they would run again.
 */
import postgres from 'postgres'
import { afterAll } from 'vitest'
import type { Pool } from '../../core/db.ts'

export interface Plan {
  'Node Type': string
  'Relation Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Shared Hit Blocks': number
  'Shared Read Blocks': number
  Plans?: Plan[]
}

export interface Observed {
  /** For the verbs whose statements are to be seen. */
  sql: Pool
  /** Plans of the statements that `run` sends and that name what `about` finds. */
  plansOf(run: () => Promise<unknown>, about: RegExp): Promise<Plan[]>
}

export function observePlans(sql: Pool, url: string): Observed {
  const sent: { text: string; parameters: unknown[] }[] = []
  const observed = postgres(url, {
    max: 1,
    prepare: false,
    transform: { column: { from: postgres.toCamel, to: postgres.fromCamel } },
    debug: (_connection, text, parameters) => {
      sent.push({ text, parameters })
    },
  })
  afterAll(() => observed.end({ timeout: 5 }))
  return {
    sql: observed,
    plansOf: async (run, about) => {
      sent.length = 0
      await run()
      const statements = sent.filter(({ text }) => about.test(text))
      const plans: Plan[] = []
      for (const { text, parameters } of statements) {
        await sql
          .begin(async (tx) => {
            const [row] = await tx.unsafe(
              `explain (analyze, buffers, format json) ${text}`,
              parameters.map(asGiven),
            )
            plans.push((Object.values(row ?? {})[0] as [{ Plan: Plan }])[0].Plan)
            throw new Error('undo')
          })
          .catch((error: Error) => {
            if (error.message !== 'undo') throw error
          })
      }
      return plans
    },
  }
}

/** JSON arrives here as it was sent, as text; given as text again, it would become a JSON string. */
function asGiven(parameter: unknown): never {
  return (
    typeof parameter === 'string' && /^(\[\{|\{"[^"]*":)/.test(parameter) ? JSON.parse(parameter) : parameter
  ) as never
}

/** Of the tables that `which` finds; what did not run read nothing. */
export function wholeTablesRead(plan: Plan, which: RegExp): string[] {
  const here =
    plan['Node Type'] === 'Seq Scan' && plan['Actual Loops'] > 0 && which.test(plan['Relation Name'] ?? '')
      ? [`${plan['Relation Name']} by ${plan['Node Type']}`]
      : []
  return [...here, ...(plan.Plans ?? []).flatMap((below) => wholeTablesRead(below, which))]
}

export function pagesOf(plan: Plan): number {
  return plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
}
