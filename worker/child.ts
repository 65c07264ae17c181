/**
 * Entry of the job process: one job in, its result out, then exit. It owns nothing: no database, no keys of
 * the storage, only the channel to its coordinator. When that closes, the coordinator is gone, and the process
 * ends itself and everything it started.
 */
import { pathToFileURL } from 'node:url'
import { type JobContext, type JobDefinition, JobError, type Json } from '../core/job.ts'
import { type Ask, createChildStorage } from './child-storage.ts'
import type { FromChild, RunMessage, StorageOperation, ToChild } from './protocol.ts'

const abort = new AbortController()
const answers = new Map<number, (answer: ToChild) => void>()
let requests = 0

process.on('disconnect', () => process.kill(-process.pid, 'SIGKILL'))
process.on('message', (message: ToChild) => {
  switch (message.type) {
    case 'run':
      void runJob(message)
      break
    case 'abort':
      abort.abort(new JobError('aborted', message.reason))
      break
    case 'presigned':
    case 'discarded':
    case 'refused':
      answers.get(message.request)?.(message)
      answers.delete(message.request)
      break
  }
})
// An error outside the job's own promise ends the attempt just as a throw inside does.
process.on('uncaughtException', (error) => end(failureOf(error, 'uncaught_exception')))
process.on('unhandledRejection', (error) => end(failureOf(error, 'unhandled_rejection')))
send({ type: 'ready' })

async function runJob(message: RunMessage): Promise<void> {
  process.chdir(message.scratchDirectory)
  process.env.TMPDIR = message.scratchDirectory
  try {
    const module: { default: JobDefinition } = await import(pathToFileURL(message.file).href)
    const params = module.default.params.safeParse(message.params)
    if (!params.success) {
      const problems = params.error.issues
        .map((issue) => `${issue.path.join('.')}: ${issue.message}`)
        .join('; ')
      throw new JobError('invalid_params', `The parameters are not what the definition takes: ${problems}`, {
        retry: false,
      })
    }
    const result: unknown = await module.default.run(params.data, contextOf(message))
    await end({ type: 'result', result: serialisable(result) })
  } catch (error) {
    await end(failureOf(error, 'threw'))
  }
}

function contextOf(message: RunMessage): JobContext {
  const log =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (text: string, fields = {}) =>
      send({ type: 'log', level, message: text, fields })
  return {
    jobId: message.jobId,
    attempt: message.attempt,
    maxAttempts: message.maxAttempts,
    signal: abort.signal,
    scratchDirectory: message.scratchDirectory,
    checkpoint: message.checkpoint as Json,
    log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    tools: message.tools,
    storage: createChildStorage(ask, abort.signal),
    progress: (progress) => send({ type: 'progress', progress }),
    event: (eventType, payload = {}) => send({ type: 'event', eventType, payload }),
    saveCheckpoint: (value) => send({ type: 'checkpoint', value }),
  }
}

const ask = ((operation: StorageOperation) => {
  const request = ++requests
  return new Promise<{ url: string; key: string } | null>((resolve, reject) => {
    answers.set(request, (answer) => {
      if (answer.type === 'presigned') resolve({ url: answer.url, key: answer.key })
      else if (answer.type === 'discarded') resolve(null)
      else if (answer.type === 'refused')
        reject(new JobError(answer.code, answer.message, { retry: answer.retry }))
    })
    send({ type: 'storage', request, operation })
  })
}) as Ask

/** @throws JobError unserialisable_result when JSON can't carry the result */
function serialisable(result: unknown): Json {
  try {
    return result === undefined ? null : (JSON.parse(JSON.stringify(result)) as Json)
  } catch (cause) {
    throw new JobError('unserialisable_result', 'The job returned what JSON can not carry.', {
      retry: false,
      cause,
    })
  }
}

function failureOf(error: unknown, code: string): FromChild {
  if (!(error instanceof Error))
    return { type: 'failure', errorCode: code, message: String(error), stack: '', retry: true }
  // By name, not by class: a job file may have its own copy of the job API.
  const known = error.name === 'JobError' ? (error as JobError) : undefined
  return {
    type: 'failure',
    errorCode: known?.code ?? code,
    message: error.message,
    stack: error.stack ?? '',
    retry: known?.retry ?? true,
  }
}

/** The last message; the process exits once the coordinator's end of the channel has it. */
async function end(last: FromChild): Promise<void> {
  await new Promise<void>((resolve) => {
    if (process.send === undefined) resolve()
    else process.send(last, () => resolve())
  })
  process.exit(0)
}

function send(message: FromChild): void {
  process.send?.(message)
}
