/** What workers and schedulers tell of themselves with their sign of life: the families of each, told apart by a label. */
import type { Sql } from '../db.ts'
import { silentSeconds } from '../workers/read.ts'
import type { Family } from './exposition.ts'

/** Who is silent is left out, and its counters end. */
export async function readReported(sql: Sql): Promise<Family[]> {
  const reports = await sql<{ worker: string; metrics: Family[] }[]>`
    select id as worker, metrics from job_server.workers
    where heartbeat_at > now() - make_interval(secs => ${silentSeconds})
    order by id`
  const families = new Map<string, Family>()
  for (const { worker, metrics } of reports) {
    for (const { name, samples, ...about } of metrics) {
      // Of another version, one may mean something else by a name.
      const known = families.get(name) ?? { name, ...about, samples: [] }
      if (known.type !== about.type) continue
      families.set(name, known)
      known.samples.push(...samples.map((sample) => ({ ...sample, labels: { worker, ...sample.labels } })))
    }
  }
  return [...families.values()]
}
