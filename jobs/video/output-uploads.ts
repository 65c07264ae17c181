/**
 * Stores outputs while they are still being verified, one after the other. Nobody sees them before the job has
 * succeeded with a result that names them, which it does only when all are verified; otherwise they are removed.
 */
import type { JobStorage, StoredFile } from '../../core/job.ts'

interface Kind {
  /** The last part of the object's key. */
  name: string
  contentType: string
}

export class OutputUploads {
  readonly #begun = new Map<string, Promise<StoredFile>>()
  #last: Promise<unknown> = Promise.resolve()
  #isGivenUp = false

  constructor(private readonly storage: Pick<JobStorage, 'upload'>) {}

  /** The file must not change any more. What becomes of it `upload` tells. */
  begin(path: string, as: Kind): void {
    this.#begun.set(path, this.#afterOthers(path, as))
  }

  /** Begins, unless it has begun. @throws JobError as `JobStorage.upload`, of this one or of one before it */
  async upload(path: string, as: Kind): Promise<StoredFile> {
    return await (this.#begun.get(path) ?? this.#afterOthers(path, as))
  }

  /** Resolves when nothing is under way any more: what arrived after the removal of the others would stay. */
  async giveUp(): Promise<void> {
    this.#isGivenUp = true
    await this.#last.catch(() => {})
  }

  #afterOthers(path: string, as: Kind): Promise<StoredFile> {
    const stored = this.#last.then(() => {
      if (this.#isGivenUp) throw new Error('the outputs are not wanted any more')
      return this.storage.upload(path, as)
    })
    this.#last = stored
    // Whoever wants the file hears of it; until then it is nobody's, which would end the process.
    stored.catch(() => {})
    return stored
  }
}
