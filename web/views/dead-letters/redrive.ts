/** Sends dead letters off again, as many as there are, a thousand a request. */
import { api, read } from '../../api.ts'
import type { DeadLetterGroup } from '../../types.ts'

const perRequest = 1000

export async function redriveAll(): Promise<number> {
  return await repeated(() => read(api.v1.dlq.redrive.$post({ json: { limit: perRequest } })))
}

export async function redriveGroup({ definitionKey, errorCode }: DeadLetterGroup): Promise<number> {
  if (errorCode === null) return await redriveWithoutCode(definitionKey)
  return await repeated(() =>
    read(api.v1.dlq.redrive.$post({ json: { definitionKey, errorCode, limit: perRequest } })),
  )
}

/** The API's filter names codes only, so these are sent one by one. */
async function redriveWithoutCode(definitionKey: string): Promise<number> {
  const query = { definitionKey, redriven: 'false' as const, limit: String(perRequest) }
  const { jobs } = await read(api.v1.dlq.$get({ query }))
  const letters = jobs.filter(({ errorCode }) => errorCode === null)
  for (const { dlqJobId } of letters) {
    await read(api.v1.dlq[':dlqJobId'].retry.$post({ param: { dlqJobId }, json: {} }))
  }
  return letters.length
}

async function repeated(redrive: () => Promise<{ jobs: unknown[] }>): Promise<number> {
  let redriven = 0
  for (;;) {
    const { jobs } = await redrive()
    redriven += jobs.length
    if (jobs.length < perRequest) return redriven
  }
}
