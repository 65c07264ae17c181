/** What this tab's key allows: buttons that the API would refuse say so before they are pressed. */
import { queryOptions, useQuery } from '@tanstack/react-query'
import { api, read } from './api.ts'
import { useSession } from './session.ts'
import type { Scope } from './types.ts'

export function selfQuery(apiKey: string | null) {
  return queryOptions({
    queryKey: ['self', apiKey],
    queryFn: () => read(api.v1.keys.self.$get()),
    staleTime: Number.POSITIVE_INFINITY,
  })
}

/** @returns why not; null when the key allows it, or when that is not known */
export function useRefusal(needed: Scope | undefined): string | null {
  const { apiKey } = useSession()
  const { data } = useQuery({ ...selfQuery(apiKey), enabled: false })
  if (needed === undefined || data === undefined || data.scopes.includes(needed)) return null
  return `Your API key does not have the scope “${needed}”.`
}
