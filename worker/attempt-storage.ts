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
import { partSizeFor } from '../core/storage/multipart.ts'
import { abortParts, beginParts, joinParts } from '../core/storage/output-parts.ts'
import { noteOutputs } from '../core/storage/outputs.ts'
import { rejectUpload } from '../core/uploads/reject.ts'
import type { StorageOperation, StorageRequest, ToChild } from './protocol.ts'

/** How long links live: at least as long as a part takes. */
const linkSeconds = 3600
const whole = { singlePutBytes: 64 * 1024 ** 2, partSizeBytes: 64 * 1024 ** 2 }

export class AttemptStorage {
  readonly #allowed: Json[]
  /** Large outputs under way, by the storage's id. */
  readonly #open = new Map<string, { key: string; sizeBytes: number }>()
  #hasWritten = false

  constructor(
    private readonly sql: Pool,
    private readonly storage: Storage,
    private readonly job: Pick<ClaimedJob, 'lease' | 'params'>,
    /** From what size on an output goes in parts, and how large they are at least. S3 takes 5 GiB in one request. */
    private readonly sizes = whole,
  ) {
    this.#allowed = [job.params]
  }

  /** Objects that are named in there may be read and discarded, too. */
  allow(values: Json[]): void {
    this.#allowed.push(...values)
  }

  /** Never throws: what can't be done is an answer too. */
  async perform({ request, operation }: StorageRequest): Promise<ToChild> {
    try {
      if ('key' in operation) this.#requireNamed(operation.key)
      return { request, ...(await this.#perform(operation)) }
    } catch (error) {
      if (error instanceof NotAllowed) {
        return { type: 'refused', request, code: 'object_not_allowed', message: error.message, retry: false }
      }
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
        if (sizeBytes > this.sizes.singlePutBytes) {
          const partSizeBytes = partSizeFor(sizeBytes, this.sizes.partSizeBytes)
          const { multipartId } = await beginParts(this.sql, this.storage, this.job.lease, {
            key,
            contentType,
          })
          this.#open.set(multipartId, { key, sizeBytes })
          return { type: 'in_parts', key, multipartId, partSizeBytes } as const
        }
        const bounds = { expiresInSeconds, contentType, sizeBytes, audience: 'job' } as const
        return { type: 'presigned', url: await this.storage.presignPut(key, bounds), key } as const
      }
      case 'part': {
        const { kind: _kind, ...part } = operation
        const { key } = this.#openParts(part.multipartId)
        const url = await this.storage.presignPart(key, { expiresInSeconds, audience: 'job', ...part })
        return { type: 'presigned', url, key } as const
      }
      case 'join': {
        const { multipartId } = operation
        const open = { multipartId, ...this.#openParts(multipartId) }
        await joinParts(this.sql, this.storage, this.job.lease, open)
        this.#open.delete(multipartId)
        return { type: 'done' } as const
      }
      case 'discard':
        await rejectUpload(this.sql, this.storage, { objectKey: operation.key }, operation.reason)
        return { type: 'done' } as const
    }
  }

  #requireNamed(key: string): void {
    if (isMediaKey(key) && names(this.#allowed, key)) return
    throw new NotAllowed("The object is not one that the job's parameters or its children's results name.")
  }

  #openParts(multipartId: string): { key: string; sizeBytes: number } {
    const open = this.#open.get(multipartId)
    if (open !== undefined) return open
    throw new NotAllowed('The parts are not of an output that this attempt is writing.')
  }

  /** Whether a large output was begun and not brought to its end. */
  get hasOpenParts(): boolean {
    return this.#open.size > 0
  }

  /** After success: what other attempts of the job left behind goes. */
  async keepOnlyMine(): Promise<void> {
    const { jobId, epoch } = this.job.lease
    const mine = attemptPrefix(jobId, epoch)
    if (this.hasOpenParts) await abortParts(this.sql, this.storage, this.job.lease)
    await this.#removeWhere(outputPrefix(jobId), (key) => !key.startsWith(mine))
  }

  async removeMine(): Promise<void> {
    if (!this.#hasWritten) return
    const { jobId, epoch } = this.job.lease
    if (this.hasOpenParts) await abortParts(this.sql, this.storage, this.job.lease)
    await this.#removeWhere(attemptPrefix(jobId, epoch), () => true)
  }

  async #removeWhere(prefix: string, matches: (key: string) => boolean): Promise<void> {
    for await (const { key } of this.storage.list(prefix)) if (matches(key)) await this.storage.remove(key)
  }
}

/** What the attempt has no right to. */
class NotAllowed extends Error {}

/** Whether a string anywhere in the parameters is the key. */
function names(params: Json, key: string): boolean {
  if (params === key) return true
  if (params === null || typeof params !== 'object') return false
  return Object.values(params).some((value) => names(value, key))
}
