import { expect, test } from 'vitest'
import { scopeFor } from '../../../api/middleware/scopes.ts'

test.each([
  ['GET', '/v1/jobs', 'read'],
  ['HEAD', '/v1/jobs', 'read'],
  ['GET', '/metrics', 'read'],
  ['GET', '/v1/keys', 'admin'],
  ['GET', '/v1/keys/self', 'read'],
  ['POST', '/v1/keys', 'admin'],
  ['POST', '/v1/keys/0199/revoke', 'admin'],
  ['POST', '/v1/jobs', 'enqueue'],
  ['POST', '/v1/jobs/bulk', 'enqueue'],
  ['POST', '/v1/jobs/0199/cancel', 'enqueue'],
  ['PATCH', '/v1/jobs/0199', 'enqueue'],
  ['POST', '/v1/jobs/0199/wait', 'read'],
  ['DELETE', '/v1/jobs/0199', 'admin'],
  ['POST', '/v1/jobs/cancel', 'admin'],
  ['POST', '/v1/videos/encode', 'enqueue'],
  ['DELETE', '/v1/videos/uploads/0199', 'enqueue'],
  ['POST', '/v1/dlq/0199/retry', 'enqueue'],
  ['POST', '/v1/dlq/redrive', 'admin'],
  ['POST', '/v1/queues/default/pause', 'admin'],
  ['DELETE', '/v1/definitions/echo/1', 'admin'],
  ['POST', '/v1/schedules', 'admin'],
  ['GET', '/v1/webhooks', 'admin'],
  ['GET', '/v1/webhooks/0199/deliveries', 'admin'],
  ['POST', '/v1/webhooks/0199/test', 'admin'],
  ['GET', '/v1/webhooksx', 'read'],
  ['POST', '/v1/jobsx', 'admin'],
  ['PUT', '/v1/jobs', 'admin'],
  ['POST', '/v1/whatever/comes', 'admin'],
])('%s %s needs %s', (method, path, scope) => {
  expect(scopeFor(method, path)).toBe(scope)
})
