/** Times requests by the route that took them; of this process alone. */
import { createMiddleware } from 'hono/factory'
import { type Bucket, type Family, family, histogram } from '../../core/metrics/exposition.ts'
import { usageFamilies } from '../../core/metrics/process.ts'
import type { ApiEnv } from '../app.ts'
import { routeOf } from '../route-of.ts'

const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, Number.POSITIVE_INFINITY]

export class RequestMetrics {
  readonly #buckets = new Map<string, Bucket>()
  readonly #startedAt = Date.now() / 1000

  readonly middleware = createMiddleware<ApiEnv>(async (c, next) => {
    const startedAt = performance.now()
    await next()
    const route = routeOf(c) ?? 'unknown'
    this.#add({ method: c.req.method, route, status: c.res.status }, (performance.now() - startedAt) / 1000)
  })

  families(): Family[] {
    return [
      histogram('job_server_http_request_seconds', 'Time until the answer began, in this API process.', [
        ...this.#buckets.values(),
      ]),
      ...usageFamilies('process'),
      family('gauge', 'process_start_time_seconds', 'When this API process started, in Unix time.', [
        { value: this.#startedAt },
      ]),
    ]
  }

  #add(labels: Bucket['labels'], seconds: number): void {
    const le = bounds.find((bound) => seconds <= bound) ?? Number.POSITIVE_INFINITY
    const key = JSON.stringify([labels, le])
    const bucket = this.#buckets.get(key) ?? { labels, le, count: 0, sum: 0 }
    this.#buckets.set(key, { ...bucket, count: bucket.count + 1, sum: bucket.sum + seconds })
  }
}
