/**
 * What one attempt may do in object storage, and what becomes of it: it may read and discard the objects its
 * parameters or its children's results name, and write under its own prefix (job and lease epoch). What it wrote counts once the job
 * succeeded; otherwise it is removed.
 */
import type { Pool } from '../core/db.ts'
import type { Json } from '../core/json.ts'
import type { ClaimedJob } from '../core/queue/claim.ts'
import type { Storage } from '../core/storage/client.ts'
import { attemptPrefix, isMediaKey, outputKey, outputPrefix } from '../core/storage/keys.ts'
import { noteOutputs } from '../core/storage/outputs.ts'
import { rejectUpload } from '../core/uploads/reject.ts'
import type { StorageOperation, StorageRequest, ToChild } from './protocol.ts'

const linkSeconds = 3600

export class AttemptStorage {
  readonly #allowed: Json[]
  #hasWritten = false

  constructor(
    private readonly sql: Pool,
    private readonly storage: Storage,
    private readonly job: Pick<ClaimedJob, 'lease' | 'params'>,
  ) {
    this.#allowed = [job.params]
  }

  /** Objects that are named in there may be read and discarded, too. */
  allow(values: Json[]): void {
    this.#allowed.push(...values)
  }

  /** Never throws: what can't be done is an answer too. */
  async perform({ request, operation }: StorageRequest): Promise<ToChild> {
    if (operation.kind !== 'put' && !(isMediaKey(operation.key) && names(this.#allowed, operation.key))) {
      const message = "The object is not one that the job's parameters or its children's results name."
      return { type: 'refused', request, code: 'object_not_allowed', message, retry: false }
    }
    try {
      return { request, ...(await this.#perform(operation)) }
    } catch (error) {
      const message = `The storage could not be used: ${error instanceof Error ? error.message : error}`
      return { type: 'refused', request, code: 'storage_unavailable', message, retry: true }
    }
  }

  async #perform(operation: StorageOperation) {
    const expiresInSeconds = linkSeconds
    switch (operation.kind) {
      case 'get': {
        const { key } = operation
        const url = await this.storage.presignGet(key, { expiresInSeconds, audience: 'job' })
        return { type: 'presigned', url, key } as const
      }
      case 'put': {
        this.#hasWritten = true
        const { name, contentType, sizeBytes } = operation
        const key = outputKey(this.job.lease.jobId, this.job.lease.epoch, name)
        await noteOutputs(this.sql, this.job.lease.jobId)
        const bounds = { expiresInSeconds, contentType, sizeBytes, audience: 'job' } as const
        return { type: 'presigned', url: await this.storage.presignPut(key, bounds), key } as const
      }
      case 'discard':
        await rejectUpload(this.sql, this.storage, { objectKey: operation.key }, operation.reason)
        return { type: 'discarded' } as const
    }
  }

  /** After success: what other attempts of the job left behind goes. */
  async keepOnlyMine(): Promise<void> {
    const { jobId, epoch } = this.job.lease
    const mine = attemptPrefix(jobId, epoch)
    await this.#removeWhere(outputPrefix(jobId), (key) => !key.startsWith(mine))
  }

  async removeMine(): Promise<void> {
    if (!this.#hasWritten) return
    const { jobId, epoch } = this.job.lease
    await this.#removeWhere(attemptPrefix(jobId, epoch), () => true)
  }

  async #removeWhere(prefix: string, matches: (key: string) => boolean): Promise<void> {
    for await (const { key } of this.storage.list(prefix)) if (matches(key)) await this.storage.remove(key)
  }
}

/** Whether a string anywhere in the parameters is the key. */
function names(params: Json, key: string): boolean {
  if (params === key) return true
  if (params === null || typeof params !== 'object') return false
  return Object.values(params).some((value) => names(value, key))
}
