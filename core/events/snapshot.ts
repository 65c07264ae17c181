/**
 * Snapshots of PostgreSQL: which transactions had committed when somebody looked. Pure.
 * See "pg_snapshot" in PostgreSQL's manual, 9.28.6.
 */

export interface Snapshot {
  /** Below it every transaction had ended. */
  xmin: bigint
  /** From it on none had begun. */
  xmax: bigint
  /** Between the two: those that had not ended, ascending. */
  running: bigint[]
}

/** Sees nothing. */
export const emptySnapshot: Snapshot = { xmin: 3n, xmax: 3n, running: [] }

const pattern = /^(\d{1,20}):(\d{1,20}):((?:\d{1,20}(?:,\d{1,20})*)?)$/

/** Of PostgreSQL's own form, `xmin:xmax:running,running`. @returns null for anything else */
export function parseSnapshot(text: string): Snapshot | null {
  const [, xminText, xmaxText, runningText = ''] = pattern.exec(text) ?? []
  if (xminText === undefined || xmaxText === undefined) return null
  const xmin = BigInt(xminText)
  const xmax = BigInt(xmaxText)
  const running = runningText === '' ? [] : runningText.split(',').map(BigInt)
  const isOrdered = running.every(
    (xid, place) => xid >= xmin && xid < xmax && xid > (running[place - 1] ?? -1n),
  )
  return xmin > 0n && xmin <= xmax && isOrdered ? { xmin, xmax, running } : null
}

export function snapshotText({ xmin, xmax, running }: Snapshot): string {
  return `${xmin}:${xmax}:${running.join(',')}`
}

export function sees({ xmin, xmax, running }: Snapshot, xid: bigint): boolean {
  return xid < xmin || (xid < xmax && !running.includes(xid))
}

/** Sees what either sees. */
export function union(a: Snapshot, b: Snapshot): Snapshot {
  const { xmax } = a.xmax > b.xmax ? a : b
  const running = [...new Set([...a.running, ...b.running])]
    .filter((xid) => !sees(a, xid) && !sees(b, xid))
    .sort((one, other) => (one < other ? -1 : 1))
  return { xmin: running[0] ?? xmax, xmax, running }
}

/** Sees of what `snapshot` sees that which is below `xid`. */
export function below(snapshot: Snapshot, xid: bigint): Snapshot {
  if (xid >= snapshot.xmax) return snapshot
  const running = snapshot.running.filter((other) => other < xid)
  return { xmin: running[0] ?? xid, xmax: xid, running }
}
