/**
 * Entry of the job process: one job in, its result out, then exit, or on to the next. It owns nothing: no
 * database, no keys of the storage, only the channel to its coordinator. When that closes, the coordinator is gone,
 * and the process ends itself and everything it started.
 */
import { type HookEvent, type JobDefinition, JobError, type JobHooks, type Json } from '../core/job.ts'
import { described } from '../core/job-context.ts'
import { runDefinition } from '../core/job-run.ts'
import { ChildChannel } from './child-channel.ts'
import { endOfThrown } from './child-last-word.ts'
import { isAsBefore } from './child-leftovers.ts'
import { flushOutput } from './child-output.ts'
import { Run } from './child-run.ts'
import { provideZod } from './child-zod.ts'
import { endOfOutput } from './end-of-output.ts'
import type { FromChild, RunMessage, ToChild } from './protocol.ts'

const EX_PROTOCOL = 76
const patienceMs = 100
/** A job that is done sooner can't be stopped sooner either. */
const deafMs = 5
/** One that hangs is not to keep the other from its turn; both are given half a minute. */
const ownHookAloneMs = 10_000

const coordinator = process.ppid
const channel = new ChildChannel(receive, channelClosed)
let current: Run | undefined
let isEnding = false
/** Given, and not yet begun. */
const queued: RunMessage[] = []
const definitions = new Map<string, JobDefinition>()

// An error outside the job's own promise ends the attempt just as a throw inside does.
process.on('uncaughtException', (error) => fail(error, 'uncaught_exception'))
process.on('unhandledRejection', (error) => fail(error, 'unhandled_rejection'))

void listen()

// No await at the top: the bundle with bytecode can't have it.
async function listen(): Promise<void> {
  const [warmUpPath = '', zodPath] = process.argv.slice(2)
  if (zodPath !== undefined) provideZod(zodPath)
  channel.send({ type: 'ready' })
  await warmUp(warmUpPath)
  channel.await()
  if (current?.message.waitIn === null) setTimeout(() => channel.listen(), deafMs)
  else channel.listen()
}

/** A process that waits has the time, and a job that comes meanwhile would wait for the same. */
async function warmUp(path: string): Promise<void> {
  const { default: definition }: { default: JobDefinition } = await import(path)
  definition.params.safeParse({})
}

function receive(message: ToChild): void {
  switch (message.type) {
    case 'run':
      queued.push(message)
      next()
      break
    case 'abort':
      if (current?.message.run === message.run) current.abort.abort(new JobError('aborted', message.reason))
      else forget(message.run)
      break
    default:
      channel.answer(message)
  }
}

function next(): void {
  const message = current === undefined && !isEnding ? queued.shift() : undefined
  if (message === undefined) return
  current = new Run(message, channel)
  void perform(current)
}

function forget(run: number): void {
  const place = queued.findIndex((message) => message.run === run)
  if (place !== -1) queued.splice(place, 1)
}

async function perform(run: Run): Promise<void> {
  const { message } = run
  channel.send({ type: 'began', run: message.run })
  try {
    workIn(message.scratchDirectory)
    nameTrace(message.trace)
    run.definition = await load(message)
    end(run, { type: 'result', run: message.run, result: await runOf(run, run.definition) })
  } catch (error) {
    fail(error, 'threw', run)
  }
}

/** For the job, and for programs that it starts. */
function workIn(directory: string): void {
  process.chdir(directory)
  process.env.TMPDIR = directory
}

/** For processes that the job starts, as OpenTelemetry's programs look for it. */
function nameTrace(trace: RunMessage['trace']): void {
  const { traceparent, tracestate } = trace ?? {}
  for (const [name, value] of Object.entries({ TRACEPARENT: traceparent, TRACESTATE: tracestate })) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}

async function runOf({ message, context }: Run, definition: JobDefinition): Promise<Json> {
  if (message.hook === null) return await runDefinition(definition, message.params, context, message.children)
  await runHooks(message, message.hook, definition, context)
  return null
}

/** The definition's own hook, then that of its directory, whatever became of the other. */
async function runHooks(
  { definition: { key, version }, jobId, attempt }: RunMessage,
  { name, file, payload }: NonNullable<RunMessage['hook']>,
  definition: JobDefinition,
  { log, signal, enqueue }: Run['context'],
): Promise<void> {
  const context = { log, signal, enqueue }
  const event = {
    attempt,
    ...payload,
    hook: name,
    jobId,
    definitionKey: key,
    definitionVersion: version,
  } as HookEvent
  const own = Promise.try(async () => await definition.hooks?.[name]?.(event, context))
  await Promise.race([own.catch(() => {}), Bun.sleep(ownHookAloneMs)])
  const shared = async () => {
    if (file === null) return
    // Who was told to end begins nothing, and fails by that: then both are run again elsewhere.
    signal.throwIfAborted()
    const module: { default: JobHooks } = await import(Bun.pathToFileURL(file).href)
    await module.default[name]?.(event, context)
  }
  const failed = (await Promise.allSettled([own, shared()])).filter(({ status }) => status === 'rejected')
  if (failed.length === 0) return
  const reasons = (failed as PromiseRejectedResult[]).map(({ reason }) => reason)
  throw reasons.length === 1 ? reasons[0] : new AggregateError(reasons, reasons.map(described).join('; '))
}

/** @throws JobError definition_not_loaded, which another attempt may survive: the file can be in the making */
async function load({ file, definition: wanted }: RunMessage): Promise<JobDefinition> {
  const known = definitions.get(file)
  if (known !== undefined) return known
  let found: JobDefinition
  try {
    const module: { default: JobDefinition } = await import(Bun.pathToFileURL(file).href)
    found = module.default
  } catch (cause) {
    throw new JobError('definition_not_loaded', `The definition could not be loaded: ${cause}`, { cause })
  }
  if (found.key !== wanted.key || (found.version ?? 1) !== wanted.version) {
    throw new JobError('definition_not_loaded', `The file no longer defines ${wanted.key}@${wanted.version}.`)
  }
  definitions.set(file, found)
  return found
}

function fail(error: unknown, code: string, run = current): void {
  // Of a job that is done: nobody may run here any more.
  if (run === undefined) process.exit(1)
  const { definition, message, context } = run
  const { attempt, asksBackoff } = message
  end(run, endOfThrown(message.run, error, code, { definition, attempt, asksBackoff, log: context.log }))
}

function end(run: Run, last: FromChild): void {
  // It has ended before, by an error outside its promise.
  if (current !== run) return
  current = undefined
  const { waitIn, scratchDirectory, run: number } = run.message
  // One that was told to stop may have left something half done, however it ends.
  const isWhole = last.type === 'result' && !run.abort.signal.aborted
  const goesOn = waitIn !== null && isWhole && isAsBefore(scratchDirectory)
  try {
    run.end(last.type === 'result' ? { ...last, goesOn } : last)
  } catch {
    // The job has closed the channel.
    process.exit(EX_PROTOCOL)
  }
  if (!goesOn) {
    isEnding = true
    void flushOutput().then(() => process.exit(0))
    return
  }
  if (queued.length === 0) workIn(waitIn)
  for (const stream of [process.stdout, process.stderr]) stream.write(endOfOutput(number))
  // What came meanwhile is read first: it may say that the next is not to begin.
  setImmediate(next)
}

/** By the end of the coordinator, which gives us another parent, or by the job. */
async function channelClosed(): Promise<void> {
  for (let waited = 0; process.ppid === coordinator && waited < patienceMs; waited += 5) await Bun.sleep(5)
  if (process.ppid !== coordinator) process.kill(-process.pid, 'SIGKILL')
  process.exit(EX_PROTOCOL)
}
