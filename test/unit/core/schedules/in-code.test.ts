import { expect, test } from 'vitest'
import { scheduleShape } from '../../../../core/schedules/in-code.ts'

test.each([
  ['expression', { expression: '0 0 31 2 *' }],
  ['expression', { expression: 'sometimes' }],
  ['timezone', { expression: '@daily', timezone: 'Mars/Olympus' }],
  ['jitterSeconds', { expression: '*/5 * * * *', jitterSeconds: 300 }],
  ['endsAt', { expression: '@daily', startsAt: '2030-01-02T00:00:00Z', endsAt: '2030-01-01T00:00:00Z' }],
])('a schedule in code is refused for its %s: %o', (path, schedule) => {
  const issues = scheduleShape.safeParse(schedule).error?.issues ?? []
  expect(issues.map((issue) => issue.path.join('.'))).toContain(path)
})

test.each([
  '@daily',
  { expression: '2020-01-01T00:00:00Z' },
  { expression: '*/5 * * * *', jitterSeconds: 299 },
])('a schedule in code is taken: %o', (schedule) => {
  expect(scheduleShape.safeParse(schedule).error).toBeUndefined()
})
