/**
 * Domain errors. Each has a stable `code`, a sentence for the public, and an internal detail that only logs
 * see (`cause`). They know nothing of HTTP; `api/problem.ts` gives them a status.
 */
export abstract class DomainError extends Error {
  abstract readonly code: string
}

export class DefinitionNotFound extends DomainError {
  readonly code = 'definition_not_found'
  constructor(readonly definition: { key: string; version: number }) {
    super(`No definition "${definition.key}" version ${definition.version} is registered.`)
  }
}

/** Jobs of it are enqueued by their parents, which alone know what to ask of them. */
export class OnlyAsChild extends DomainError {
  readonly code = 'only_as_child'
  constructor(readonly definitionKey: string) {
    super(
      `"${definitionKey}" runs only as a child of a job that divides its work: enqueue or retry that one.`,
    )
  }
}

/** Somebody still needs it. */
export class DefinitionInUse extends DomainError {
  readonly code = 'definition_in_use'
  /** @param uses parts of a sentence */
  constructor({ key, version }: { key: string; version: number }, uses: string[]) {
    super(`Definition "${key}" version ${version} can't be removed: ${uses.join('; ')}.`)
  }
}

export class InvalidParams extends DomainError {
  readonly code = 'invalid_params'
  constructor(
    definitionKey: string,
    readonly issues: { path: string; message: string }[],
  ) {
    super(`The parameters are not what "${definitionKey}" takes.`)
  }
}

/** What was thrown, in one text: of wrong parameters with each that is meant. */
export function wholeMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const issues = error instanceof InvalidParams ? error.issues : []
  return [error.message, ...issues.map(({ path, message }) => `${path}: ${message}`)].join(' ')
}

export class IdempotencyConflict extends DomainError {
  readonly code = 'idempotency_conflict'
  /** @param idempotency the key, and what has it: an earlier job, or another place of the same request */
  constructor(
    readonly idempotency:
      | { key: string; jobId: string }
      | { key: string; place: string; earlierPlace: string },
  ) {
    super(
      'jobId' in idempotency
        ? `The idempotency key was used for job ${idempotency.jobId} with other parameters.`
        : `${idempotency.place}.idempotencyKey: the same key stands at ${idempotency.earlierPlace} with other parameters.`,
    )
  }
}

export class JobNotFound extends DomainError {
  readonly code = 'job_not_found'
  constructor(jobId: string) {
    super(`There is no job ${jobId}.`)
  }
}

export class JobAlreadyFinished extends DomainError {
  readonly code = 'job_already_finished'
  constructor(jobId: string, status: string) {
    super(`Job ${jobId} has already finished: it is ${status}.`)
  }
}

/** Its parent goes on with what its children left. */
export class JobInUse extends DomainError {
  readonly code = 'job_in_use'
  constructor(jobId: string, parentId: string) {
    super(`Job ${jobId} can't be removed: its parent, job ${parentId}, has not ended and needs it.`)
  }
}

/** What was asked for is possible only before a job's turn has come, or once it has ended. */
export class JobNotInStatus extends DomainError {
  readonly code = 'job_not_in_status'
  constructor(jobId: string, status: string, needed: string) {
    super(`Job ${jobId} is ${status}; it must be ${needed} for this.`)
  }
}

/** A job that another is to wait for has already ended, and not well. */
export class DependencyFailed extends DomainError {
  readonly code = 'dependency_failed'
  constructor(jobId: string, status: string) {
    super(`Job ${jobId} can't be waited for: it is ${status}.`)
  }
}

export class DeadLetterNotFound extends DomainError {
  readonly code = 'dead_letter_not_found'
  constructor(id: string) {
    super(`There is no dead letter ${id}.`)
  }
}

export class KeyNotFound extends DomainError {
  readonly code = 'key_not_found'
  constructor(id: string) {
    super(`There is no key ${id}.`)
  }
}

export class ScheduleNotFound extends DomainError {
  readonly code = 'schedule_not_found'
  constructor(id: string) {
    super(`There is no schedule ${id}.`)
  }
}

/** It could not do what it says: an expression that is none or never fires, an unknown zone, too short a period. */
export class InvalidSchedule extends DomainError {
  readonly code = 'invalid_schedule'
  constructor(readonly issues: { path: string; message: string }[]) {
    super(
      `The schedule can't be used: ${issues.map(({ path, message }) => `${path}: ${message}`).join('; ')}.`,
    )
  }
}

export class ScheduleNameTaken extends DomainError {
  readonly code = 'schedule_name_taken'
  constructor(name: string) {
    super(`There is a schedule named "${name}" already.`)
  }
}

/** Only its definition's code can change it, beside switching it on and off. */
export class ScheduleDefinedInCode extends DomainError {
  readonly code = 'schedule_defined_in_code'
  constructor(name: string) {
    super(`Schedule "${name}" is defined in code: change it there. It can be enabled and disabled here.`)
  }
}

/** Its overlap policy does not allow another job now. */
export class ScheduleOverlaps extends DomainError {
  readonly code = 'schedule_overlaps'
  constructor(reason: string) {
    super(reason)
  }
}

export class WebhookNotFound extends DomainError {
  readonly code = 'webhook_not_found'
  constructor(id: string) {
    super(`There is no webhook ${id}.`)
  }
}

export class DeliveryNotFound extends DomainError {
  readonly code = 'delivery_not_found'
  constructor(webhookId: string, deliveryId: string) {
    super(`Webhook ${webhookId} has no delivery ${deliveryId}.`)
  }
}

/** Nothing could be sent to it. */
export class InvalidWebhook extends DomainError {
  readonly code = 'invalid_webhook'
  constructor(readonly issues: { path: string; message: string }[]) {
    super(
      `The webhook can't be used: ${issues.map(({ path, message }) => `${path}: ${message}`).join('; ')}.`,
    )
  }
}

/** Nothing is sent to it until it is enabled again. */
export class WebhookDisabled extends DomainError {
  readonly code = 'webhook_disabled'
  constructor(id: string) {
    super(`Webhook ${id} is disabled; enable it first.`)
  }
}

export class UploadNotFound extends DomainError {
  readonly code = 'upload_not_found'
  constructor(uploadId: string) {
    super(`There is no upload ${uploadId}.`)
  }
}

/** The upload is not in the status that the request needs. */
export class UploadNotUsable extends DomainError {
  readonly code = 'upload_not_usable'
  constructor(uploadId: string, status: string) {
    super(`Upload ${uploadId} can't be used: it is ${status}.`)
  }
}

/** There is no such object among those that jobs may read. */
export class SourceNotFound extends DomainError {
  readonly code = 'source_not_found'
  constructor(key: string) {
    super(`There is no source ${JSON.stringify(key)} in the storage.`)
  }
}

/** What was to be looked at was more than one request may cost. */
export class ReadTooLong extends DomainError {
  readonly code = 'busy'
  constructor(cause: unknown) {
    super('The database looked for too long: narrow the search, or ask for no total.', { cause })
  }
}

/** It was there once, and its time was over. */
export class SourceGone extends DomainError {
  readonly code = 'source_gone'
  /** @param what begins the sentence, for example `Upload 019a…` */
  constructor(what: string) {
    super(`${what} is no longer kept: upload the file again, and encode from the new upload.`)
  }
}

/** What lies in storage is not what the upload announced. */
export class UploadIncomplete extends DomainError {
  readonly code = 'upload_incomplete'
  constructor(uploadId: string, detail: string) {
    super(`Upload ${uploadId} is not complete: ${detail}`)
  }
}

export class InvalidMedia extends DomainError {
  readonly code = 'invalid_media'
}

/** No worker's FFmpeg can do what is asked for. */
export class EncoderMissing extends DomainError {
  readonly code = 'encoder_missing'
  constructor(readonly missing: { codec: string; encoders: readonly string[] }[]) {
    const named = missing.map(({ codec, encoders }) => `${codec} (${encoders.join(' or ')})`)
    super(`No worker's FFmpeg has an encoder for ${named.join(' and ')}.`)
  }
}
