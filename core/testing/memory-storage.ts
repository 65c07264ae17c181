/** `context.storage` without any storage: objects in memory, by key. */
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { JobError, type JobStorage, type StoredFile } from '../job.ts'
import { checkUpload } from '../job-context.ts'

export class MemoryStorage implements JobStorage {
  readonly objects: Map<string, Uint8Array>

  constructor(objects: Record<string, Uint8Array | string>) {
    this.objects = new Map(Object.entries(objects).map(([key, bytes]) => [key, Buffer.from(bytes)]))
  }

  /** A `data:` URL, which `fetch` reads. */
  async readUrl(key: string): Promise<string> {
    return `data:application/octet-stream;base64,${Buffer.from(this.#read(key)).toString('base64')}`
  }

  async download(key: string, path: string): Promise<{ sizeBytes: number }> {
    const bytes = this.#read(key)
    await writeFile(path, bytes)
    return { sizeBytes: bytes.length }
  }

  async upload(path: string, as: { name: string; contentType: string }): Promise<StoredFile> {
    checkUpload(as)
    const bytes = await readFile(path)
    const key = `outputs/${as.name}`
    this.objects.set(key, bytes)
    return { key, sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
  }

  async discard(key: string): Promise<void> {
    this.objects.delete(key)
  }

  #read(key: string): Uint8Array {
    const bytes = this.objects.get(key)
    if (bytes === undefined) {
      throw new JobError('source_missing', 'The object is not in storage.', { retry: false })
    }
    return bytes
  }
}
