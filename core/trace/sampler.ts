/** Which traces are recorded: the samplers that OpenTelemetry names for OTEL_TRACES_SAMPLER. */
import { isSampled, type TraceContext } from './context.ts'

export type Sampler = (traceId: string, parent: TraceContext | null) => boolean

export const samplerNames = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const
export type SamplerName = (typeof samplerNames)[number]

const randomHexDigits = 14

/** @param ratio 0 to 1, of those by ratio */
export function createSampler(name: SamplerName, ratio: number): Sampler {
  const [, base] = name.split('parentbased_')
  if (base !== undefined) {
    const root = createSampler(base as SamplerName, ratio)
    return (traceId, parent) => (parent === null ? root(traceId, null) : isSampled(parent))
  }
  if (name === 'always_on') return () => true
  if (name === 'always_off') return () => false
  // The rightmost seven bytes are random (Trace Context, level 2); all who see a trace decide alike.
  const threshold = (1 - ratio) * 16 ** randomHexDigits
  return (traceId) => Number.parseInt(traceId.slice(-randomHexDigits), 16) >= threshold
}
