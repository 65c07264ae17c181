/** Refuses schedules that could not do what they say, with every reason at once. */
import type { Sql } from '../db.ts'
import { checkParams } from '../definitions/check-params.ts'
import { requireAlone } from '../definitions/children-only.ts'
import { definitionName } from '../definitions/name.ts'
import { readDefinitions } from '../definitions/read.ts'
import { DefinitionNotFound, InvalidParams, InvalidSchedule } from '../errors.ts'
import { isStorable } from '../json.ts'
import type { ScheduleSettings } from './row.ts'
import { isTimezone, jitterProblem, nextTime, parseExpression, shortestPeriod } from './timetable.ts'

export interface Limits {
  /** Shortest distance between two times of a schedule. */
  minPeriodSeconds: number
}

type Timing = Pick<ScheduleSettings, 'expression' | 'timezone' | 'startsAt' | 'endsAt' | 'jitterSeconds'> & {
  createdAt: Date
}

/** @param now the database's. @throws InvalidSchedule */
export function checkTiming(timing: Timing, now: Date, { minPeriodSeconds }: Limits): void {
  const issues: { path: string; message: string }[] = []
  const refuse = (path: string, message: string) => issues.push({ path, message })
  const syntaxProblem = problemOf(() => parseExpression(timing.expression))
  if (syntaxProblem !== null) refuse('expression', syntaxProblem)
  if (!isTimezone(timing.timezone)) {
    refuse('timezone', `expected an IANA time zone such as Europe/Berlin, got "${timing.timezone}"`)
  }
  if (timing.startsAt !== null && timing.endsAt !== null && timing.startsAt >= timing.endsAt) {
    refuse('endsAt', 'expected a time after startsAt')
  }
  if (issues.length === 0) {
    if (nextTime(timing, now) === null) refuse('expression', 'it never fires: no time of it is to come')
    const periodSeconds = shortestPeriod(timing, now)
    if (periodSeconds < minPeriodSeconds) {
      refuse(
        'expression',
        `two fires are ${periodSeconds} s apart; at least ${minPeriodSeconds} s are needed`,
      )
    }
    if (timing.jitterSeconds >= periodSeconds) refuse('jitterSeconds', jitterProblem(periodSeconds))
  }
  if (issues.length > 0) throw new InvalidSchedule(issues)
}

/**
 * In the transaction that writes the schedule: until it has ended, the definition stays.
 * @throws DefinitionNotFound, OnlyAsChild, InvalidParams
 */
export async function checkWork(
  tx: Sql,
  work: Pick<ScheduleSettings, 'definitionKey' | 'definitionVersion' | 'params'>,
): Promise<void> {
  const { definitionKey: key, definitionVersion: version, params } = work
  const definition = (await readDefinitions(tx, [work], { hold: true })).get(definitionName({ key, version }))
  if (definition === undefined) throw new DefinitionNotFound({ key, version })
  requireAlone(key)
  if (!isStorable(params)) {
    const message = 'Text with NUL characters or lone surrogates can not be stored.'
    throw new InvalidParams(key, [{ path: 'params', message }])
  }
  checkParams(definition, params)
}

function problemOf(run: () => unknown): string | null {
  try {
    run()
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
