/** What the end of a job is told as to its coordinator. */
import type { JsonObject } from '../core/job.ts'
import { type ThrownIn, whatWasThrown } from '../core/job-run.ts'
import type { FromChild } from './protocol.ts'

/** @param code of errors that bring none of their own */
export function endOfThrown(run: number, thrown: unknown, code: string, where: ThrownIn): FromChild {
  const end = whatWasThrown(thrown, code, where)
  switch (end.kind) {
    case 'snoozed':
      return { type: 'snooze', run, seconds: end.seconds }
    case 'waits': {
      const { children, onFailure } = end
      return { type: 'children', run, jobs: children as object[] as JsonObject[], onFailure }
    }
    case 'failed': {
      const { kind, details, ...failure } = end
      return { type: 'failure', run, ...failure, ...(Object.keys(details).length === 0 ? {} : { details }) }
    }
  }
}
