/** Tracing as it is configured. Where no collector is named nothing is loaded or recorded; contexts are passed on. */
import type { Config } from '../config.ts'
import type { Log } from '../log.ts'
import { createSampler } from './sampler.ts'
import { createTracer, passingTracer, type Tracer } from './tracer.ts'

export interface Tracing {
  tracer: Tracer
  /** Spans that were recorded and could not be delivered. */
  dropped(): number
  /** Resolves within the time, whatever the collector does. */
  flush(withinMs: number): Promise<void>
  stop(): Promise<void>
}

export type TracingConfig = Pick<
  Config,
  | 'OTEL_EXPORTER_OTLP_ENDPOINT'
  | 'OTEL_EXPORTER_OTLP_HEADERS'
  | 'OTEL_RESOURCE_ATTRIBUTES'
  | 'OTEL_SERVICE_NAME'
  | 'OTEL_TRACES_SAMPLER'
  | 'OTEL_TRACES_SAMPLER_ARG'
>

const stopMs = 3000

const noTracing: Tracing = {
  tracer: passingTracer,
  dropped: () => 0,
  flush: async () => {},
  stop: async () => {},
}

/** @param reporter which of our programs it is, and which instance of that */
export async function openTracing(
  config: TracingConfig,
  log: Log,
  reporter: { program: string; instance: string },
): Promise<Tracing> {
  const endpoint = config.OTEL_EXPORTER_OTLP_ENDPOINT
  if (endpoint === undefined) return noTracing
  const { SpanExporter } = await import('./exporter.ts')
  const exporter = new SpanExporter({
    endpoint,
    headers: config.OTEL_EXPORTER_OTLP_HEADERS,
    resource: {
      'service.instance.id': reporter.instance,
      ...config.OTEL_RESOURCE_ATTRIBUTES,
      'service.name': config.OTEL_SERVICE_NAME ?? `job-server-${reporter.program}`,
    },
    log,
  })
  const sampler = createSampler(config.OTEL_TRACES_SAMPLER, config.OTEL_TRACES_SAMPLER_ARG)
  return {
    tracer: createTracer(sampler, (span) => exporter.add(span)),
    dropped: () => exporter.dropped,
    flush: (withinMs) => exporter.flush(withinMs),
    stop: () => exporter.stop(stopMs),
  }
}
