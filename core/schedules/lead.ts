/** Leadership of the schedulers: a row held until a time, named by an epoch that grows with every change of hands. */
import type { Sql } from '../db.ts'

/**
 * Takes or renews leadership for `leaseSeconds`.
 * @returns the epoch when this holder leads; null while another's lease lasts
 */
export async function lead(sql: Sql, holder: string, leaseSeconds: number): Promise<string | null> {
  const [row] = await sql<{ epoch: string }[]>`
    insert into job_server.leases as held (name, holder, epoch, expires_at)
    values ('scheduler', ${holder}, 1, now() + make_interval(secs => ${leaseSeconds}))
    on conflict on constraint leases_pk do update set
      holder = excluded.holder,
      epoch = held.epoch + case when held.holder = excluded.holder then 0 else 1 end,
      expires_at = excluded.expires_at
    where held.holder = excluded.holder or held.expires_at < now()
    returning epoch`
  return row?.epoch ?? null
}

/** Gives leadership up, so that another need not wait for the lease to run out. */
export async function resign(sql: Sql, holder: string): Promise<void> {
  await sql`update job_server.leases set expires_at = now() where name = 'scheduler' and holder = ${holder}`
}
