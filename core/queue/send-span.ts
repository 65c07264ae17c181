/**
 * The span of putting jobs into the queue (a producer, in OpenTelemetry's words for messaging), within the trace of
 * whoever does it. The jobs keep its context, and their attempts become its children: each job is taken by itself, so
 * that request, wait, attempts and what they do are one trace. Links instead of parents are for consumers of batches.
 */
import { type TraceHeaders, traceHeaders } from '../trace/context.ts'
import { scopeNow } from '../trace/scope.ts'
import type { Attributes } from '../trace/tracer.ts'

/** Of an attempt or a batch of jobs, as of any message. */
export const messaging = { 'messaging.system': 'job_server' } satisfies Attributes

/**
 * @param what `definitions` of the jobs, where they are known before
 * @param send is told what the jobs are to carry, null: nothing
 */
export async function withSendSpan<Sent>(
  what: { operation: string; definitions: string[]; queue?: string | undefined },
  send: (trace: TraceHeaders | null) => Promise<Sent[]>,
  jobIdOf: (sent: Sent) => string,
): Promise<Sent[]> {
  const scope = scopeNow()
  if (scope === undefined) return await send(null)
  const definitions = new Set(what.definitions)
  const [definition] = definitions.size === 1 ? definitions : []
  const span = scope.tracer.start([what.operation, definition].filter(Boolean).join(' '), {
    kind: 'producer',
    parent: scope.context,
    attributes: {
      ...messaging,
      'messaging.operation.name': what.operation,
      'messaging.operation.type': 'send',
      'messaging.destination.name': what.queue,
      'job_server.definition': definition,
    },
  })
  try {
    const sent = await send(span.context === null ? null : traceHeaders(span.context))
    const [first] = sent
    if (sent.length > 1) span.set({ 'messaging.batch.message_count': sent.length })
    else if (first !== undefined) span.set({ 'messaging.message.id': jobIdOf(first) })
    span.end()
    return sent
  } catch (error) {
    span.end({ error: errorType(error) })
    throw error
  }
}

/** Names and codes are ours or the platform's; messages may hold what is a secret. */
function errorType(error: unknown): string {
  if (!(error instanceof Error)) return 'error'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
