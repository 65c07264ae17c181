/**
 * W3C Trace Context: where in whose trace something happens, as it travels in headers, with a job and to its process.
 * https://www.w3.org/TR/trace-context/. What is malformed counts as absent, as the standard wants. Pure.
 */

export interface TraceContext {
  /** 32 lower-case hex digits. */
  traceId: string
  /** 16 of them: the span that what follows is a child of. */
  spanId: string
  /** Bit 0: sampled. Bit 1 (level 2): the trace id is random. */
  flags: number
  /** What other vendors keep along the trace; empty: nothing. Passed on as it came. */
  state: string
}

export interface TraceHeaders {
  traceparent: string
  tracestate?: string
}

export const sampledFlag = 1
const knownFlags = 3
const maxStateMembers = 32
/** What has to be passed on at least, and what is kept with a job. */
const maxStateLength = 512

const header = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/
const stateMember =
  /^(?:[a-z\d][\w\-*/]{0,255}|[a-z\d][\w\-*/]{0,240}@[a-z][\w\-*/]{0,13})=[ -+\--<>-~]{0,255}[!-+\--<>-~]$/

/** @returns null where there is no traceparent that can be gone on from; a bad tracestate alone is dropped */
export function parseTrace(traceparent?: string | null, tracestate?: string | null): TraceContext | null {
  const [, version, traceId = '', spanId = '', flags = '', rest] = header.exec(traceparent ?? '') ?? []
  if (version === undefined || version === 'ff') return null
  // Only a version to come may have more to say.
  if (version === '00' && rest !== undefined) return null
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null
  return {
    traceId,
    spanId,
    flags: Number.parseInt(flags, 16) & knownFlags,
    state: parseState(tracestate ?? ''),
  }
}

export function traceHeaders({ traceId, spanId, flags, state }: TraceContext): TraceHeaders {
  const traceparent = `00-${traceId}-${spanId}-${flags.toString(16).padStart(2, '0')}`
  return state === '' ? { traceparent } : { traceparent, tracestate: state }
}

export function isSampled({ flags }: TraceContext): boolean {
  return (flags & sampledFlag) !== 0
}

function parseState(text: string): string {
  const members = text
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '')
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf('='))))
  const isValid = members.every((member) => stateMember.test(member)) && keys.size === members.length
  if (!isValid || members.length > maxStateMembers) return ''
  // Too much: the oldest go, which stand last.
  while (members.join(',').length > maxStateLength) members.pop()
  return members.join(',')
}

/** For ids. By the Web's API: `node:crypto` takes as long to load as Bun to start. */
export function randomHex(bytes: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('')
}
