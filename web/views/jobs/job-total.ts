/** How many jobs match. */
import { useQuery } from '@tanstack/react-query'
import { api, read } from '../../api.ts'
import type { JobSearch } from '../../router.tsx'
import { count } from '../../ui/format.ts'
import { filterOf } from './job-filter.ts'

const countedAtMost = '10000'

export interface JobTotal {
  count: number
  /** False: there may be more. */
  isWhole: boolean
}

/** Counting reads what it counts, so it is asked apart, not often, and not of all of millions. */
export function useJobTotal(search: JobSearch): JobTotal | undefined {
  const total = useQuery({
    queryKey: ['jobs-total', search],
    queryFn: async (): Promise<JobTotal> => {
      const query = { ...filterOf(search), limit: '1', total: 'true' as const, lookAt: countedAtMost }
      const answer = await read(api.v1.jobs.$get({ query }))
      return { count: answer.total ?? 0, isWhole: answer.isTotalWhole ?? true }
    },
    staleTime: 10_000,
    refetchInterval: 30_000,
  })
  return total.data
}

export function totalText({ count: total, isWhole }: JobTotal): string {
  return isWhole ? count(total) : `${count(total)}+`
}
