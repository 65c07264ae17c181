/**
 * What one attempt may do in object storage, and what becomes of it: it may read the objects its parameters
 * name and write under its own prefix (job and lease epoch), each by a presigned link. What it wrote counts
 * once the job succeeded; otherwise it is removed.
 */
import type { Json } from '../core/json.ts'
import type { Lease } from '../core/queue/row.ts'
import type { Storage } from '../core/storage/client.ts'
import { attemptPrefix, outputKey, outputPrefix } from '../core/storage/keys.ts'
import type { PresignRequest } from './job-process.ts'
import type { ToChild } from './protocol.ts'

const linkSeconds = 3600

export class AttemptStorage {
  constructor(
    private readonly storage: Storage,
    private readonly lease: Lease,
    private readonly params: Json,
  ) {}

  async presign({ request, operation }: PresignRequest): Promise<ToChild> {
    const refuse = (code: string, message: string, retry: boolean): ToChild => ({
      type: 'refused',
      request,
      code,
      message,
      retry,
    })
    try {
      if (operation.kind === 'get') {
        if (!names(this.params, operation.key)) {
          return refuse('object_not_allowed', "The object is not one that the job's parameters name.", false)
        }
        const url = await this.storage.presignGet(operation.key, {
          expiresInSeconds: linkSeconds,
          audience: 'job',
        })
        return { type: 'presigned', request, url, key: operation.key }
      }
      const key = outputKey(this.lease.jobId, this.lease.epoch, operation.name)
      const { contentType, sizeBytes } = operation
      const url = await this.storage.presignPut(key, {
        expiresInSeconds: linkSeconds,
        contentType,
        sizeBytes,
        audience: 'job',
      })
      return { type: 'presigned', request, url, key }
    } catch (error) {
      return refuse(
        'storage_unavailable',
        `No link could be made: ${error instanceof Error ? error.message : error}`,
        true,
      )
    }
  }

  /** After success: what other attempts of the job left behind goes. */
  async keepOnlyMine(): Promise<void> {
    const mine = attemptPrefix(this.lease.jobId, this.lease.epoch)
    await this.#removeWhere(outputPrefix(this.lease.jobId), (key) => !key.startsWith(mine))
  }

  async removeMine(): Promise<void> {
    await this.#removeWhere(attemptPrefix(this.lease.jobId, this.lease.epoch), () => true)
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
