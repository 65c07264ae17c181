/** What a caller's key must allow. One list for all routes: who adds a route need not think of it to be safe. */
import { createMiddleware } from 'hono/factory'
import type { ApiKey, Scope } from '../../core/keys/key.ts'
import type { ApiEnv } from '../app.ts'
import { RequestProblem } from '../problem.ts'

/** The first that fits counts. What changes something and is not named here is for `admin`. */
const rules: { methods: string[]; path: RegExp; scope: Scope }[] = [
  // What keys there are is nobody's business but their keeper's; each may ask what it is itself.
  { methods: ['GET', 'HEAD'], path: /^\/v1\/keys\/self$/, scope: 'read' },
  { methods: ['GET', 'HEAD', 'POST'], path: /^\/v1\/keys(\/|$)/, scope: 'admin' },
  // Addresses often hold a secret of their own.
  { methods: ['GET', 'HEAD'], path: /^\/v1\/webhooks(\/|$)/, scope: 'admin' },
  { methods: ['GET', 'HEAD'], path: /^/, scope: 'read' },
  { methods: ['POST'], path: /^\/v1\/jobs\/[^/]+\/wait$/, scope: 'read' },
  { methods: ['POST'], path: /^\/v1\/jobs\/cancel$/, scope: 'admin' },
  { methods: ['DELETE'], path: /^\/v1\/jobs\//, scope: 'admin' },
  { methods: ['POST', 'PATCH'], path: /^\/v1\/jobs(\/|$)/, scope: 'enqueue' },
  { methods: ['POST', 'DELETE'], path: /^\/v1\/videos\//, scope: 'enqueue' },
  { methods: ['POST'], path: /^\/v1\/dlq\/[^/]+\/retry$/, scope: 'enqueue' },
]

export function scopeFor(method: string, path: string): Scope {
  const rule = rules.find(({ methods, path: pattern }) => methods.includes(method) && pattern.test(path))
  return rule?.scope ?? 'admin'
}

/** After `authenticate`. Who needs no key may do everything. */
export const requireScope = createMiddleware<ApiEnv>(async (c, next) => {
  const scope = scopeFor(c.req.method, c.req.path)
  if (!mayAs(c.var.caller, scope)) throw insufficientScope(scope)
  await next()
})

/** Whether the caller may do what is for that scope. */
export function mayAs(caller: ApiKey | null, scope: Scope): boolean {
  return caller === null || caller.scopes.includes(scope) || caller.scopes.includes('admin')
}

export function insufficientScope(scope: Scope): RequestProblem {
  return new RequestProblem('forbidden', `The API key does not have the scope "${scope}".`, [], {
    headers: { 'www-authenticate': `Bearer error="insufficient_scope", scope="${scope}"` },
  })
}
