/** What is meant by the text in the search box. */
import type { JobSearch } from '../../router.tsx'

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export type Wanted = { kind: 'job'; jobId: string } | { kind: 'jobs'; search: JobSearch }

/** An id leads to its job, `tag:x` and `worker:x` to theirs; anything else is looked for in errors. */
export function wantedBy(text: string): Wanted {
  const wanted = text.trim()
  if (uuid.test(wanted)) return { kind: 'job', jobId: wanted.toLowerCase() }
  const [, name, value] = /^(tag|worker):\s*(.+)$/.exec(wanted) ?? []
  if (name !== undefined) return { kind: 'jobs', search: { [name]: value } }
  return { kind: 'jobs', search: { error: wanted === '' ? undefined : wanted } }
}
