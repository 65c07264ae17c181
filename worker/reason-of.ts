import { InvalidParams } from '../core/errors.ts'

/** What keeps a job from being enqueued, with the job and the parameter that are meant. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const issues = error instanceof InvalidParams ? error.issues : []
  return [error.message, ...issues.map(({ path, message }) => `${path}: ${message}`)].join(' ')
}
