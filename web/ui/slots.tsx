/** A square for each slot of a worker, filled while it has a job. The number stands beside it. */
import type { Worker } from '../types.ts'

const drawnAtMost = 64

export function Slots({ worker }: { worker: Pick<Worker, 'slots' | 'runningJobs'> }) {
  return (
    <span className="slots" aria-hidden="true">
      {Array.from({ length: Math.min(worker.slots, drawnAtMost) }, (_, slot) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a slot is its place
        <span key={slot} className={slot < worker.runningJobs ? 'slot slot-busy' : 'slot'} />
      ))}
    </span>
  )
}
