/** Sends dead letters off again, as many as there are, a hundred thousand a request. */
import { api, read } from '../../api.ts'
import type { DeadLetterGroup } from '../../types.ts'

const perRequest = 100_000

export async function redriveAll(): Promise<number> {
  return await redriveMatching({})
}

export async function redriveGroup({ definitionKey, errorCode }: DeadLetterGroup): Promise<number> {
  return await redriveMatching({ definitionKey, errorCode })
}

async function redriveMatching(filter: {
  definitionKey?: string
  errorCode?: string | null
}): Promise<number> {
  let sum = 0
  for (;;) {
    const { redriven } = await read(api.v1.dlq.redrive.$post({ json: { ...filter, limit: perRequest } }))
    sum += redriven
    if (redriven < perRequest) return sum
  }
}
