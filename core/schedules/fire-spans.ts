/** Each time of a schedule begins a trace of its own, whatever number of them are fired together. */
import type { Enqueued, EnqueueInput } from '../queue/enqueue.ts'
import { messaging } from '../queue/send-span.ts'
import { traceHeaders } from '../trace/context.ts'
import { scopeNow } from '../trace/scope.ts'
import type { Turn } from './decide.ts'
import { jobOf } from './overlap.ts'

/** @param enqueue is given the jobs of the turns, in order, each with its trace */
export async function withFireSpans(
  turns: Turn[],
  enqueue: (inputs: EnqueueInput[]) => Promise<Enqueued[]>,
): Promise<Enqueued[]> {
  const scope = scopeNow()
  if (scope === undefined) return await enqueue(turns.map(({ schedule }) => jobOf(schedule)))
  const spans = turns.map(({ schedule, record }) =>
    scope.tracer.start(`fire ${schedule.name}`, {
      kind: 'producer',
      parent: null,
      attributes: {
        ...messaging,
        'messaging.operation.name': 'fire',
        'messaging.operation.type': 'send',
        'job_server.schedule': schedule.name,
        'job_server.fire_at': record.fireAt.toISOString(),
        'job_server.definition': schedule.definitionKey,
      },
    }),
  )
  try {
    const enqueued = await enqueue(
      turns.map(({ schedule }, index) => {
        const context = spans[index]?.context ?? null
        return context === null ? jobOf(schedule) : { ...jobOf(schedule), trace: traceHeaders(context) }
      }),
    )
    for (const [index, { job }] of enqueued.entries()) spans[index]?.set({ 'messaging.message.id': job.id })
    for (const span of spans) span.end()
    return enqueued
  } catch (error) {
    // Which of them was at fault comes out when they are tried one by one.
    for (const span of spans) span.end({ error: 'not_enqueued' })
    throw error
  }
}
