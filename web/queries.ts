/** What several views ask for, under one key each. */
import { queryOptions } from '@tanstack/react-query'
import { api, read } from './api.ts'

/** For what no event tells of: workers that come and go, queues that are paused by somebody else. */
const slowlyMs = 5000

export const queuesQuery = queryOptions({
  queryKey: ['queues'],
  queryFn: () => read(api.v1.queues.$get({ query: {} })),
  refetchInterval: slowlyMs,
})

export const workersQuery = queryOptions({
  queryKey: ['workers'],
  queryFn: () => read(api.v1.workers.$get()),
  select: ({ workers }) => workers,
  refetchInterval: slowlyMs,
})

export const definitionsQuery = queryOptions({
  queryKey: ['definitions'],
  queryFn: () => read(api.v1.definitions.$get()),
  select: ({ definitions }) => definitions,
  staleTime: 30_000,
})

export const metricsQuery = queryOptions({
  queryKey: ['metrics'],
  queryFn: () => read(api.v1.metrics.$get({ query: { ttl: '1' } })),
  refetchInterval: slowlyMs,
})

export const deadLetterGroupsQuery = queryOptions({
  queryKey: ['dead-letters', 'groups'],
  queryFn: () => read(api.v1.dlq.groups.$get()),
  select: ({ groups }) => groups,
  refetchInterval: slowlyMs,
})
