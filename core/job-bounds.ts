/**
 * Bounds of what a job may say. Its process keeps to them where the job speaks, so that its author sees the line at
 * fault; the coordinator holds to them whatever the process does.
 */
import type { Json } from './json.ts'

/** In bytes of JSON. */
export const jobBounds = {
  result: 8 * 1024 * 1024,
  /** A job that another enqueues. */
  enqueue: 1024 * 1024,
  /** The children a job asks for, all together. */
  children: 8 * 1024 * 1024,
  checkpoint: 1024 * 1024,
  /** A progress report or an event. */
  report: 64 * 1024,
  /** The text of a log line, and its fields. Longer ones are cut. */
  logText: 16 * 1024,
  logFields: 16 * 1024,
  failureText: 16 * 1024,
  failureDetails: 32 * 1024,
  /** Name, attribute or error of a span, in characters, and how many attributes there may be. */
  spanText: 300,
  spanAttributes: 32,
  /** Any message: what the largest of the above need, and their envelope. */
  message: 9 * 1024 * 1024,
}

/** Levels that a value may be nested: the coordinator and PostgreSQL walk through it by recursion. */
const maxDepth = 500

export function isShallow(value: unknown, depth = maxDepth): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (depth === 0) return false
  // Millions of numbers cost a look each, not a call.
  for (const item of Object.values(value))
    if (typeof item === 'object' && item !== null && !isShallow(item, depth - 1)) return false
  return true
}

/** What JSON makes of a value, or why it does not come through. */
export type Carried =
  | { kind: 'carried'; json: Json }
  | { kind: 'too_deep'; json: Json }
  | { kind: 'too_large'; sizeBytes: number }
  /** `thrown`: by a value that refuses; none is by what JSON leaves out, as functions. */
  | { kind: 'no_json'; thrown?: unknown }

/** Its size is looked at before anything else is done with it. */
export function carried(value: unknown, limitBytes: number): Carried {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (thrown) {
    return { kind: 'no_json', thrown }
  }
  if (text === undefined) return { kind: 'no_json' }
  const sizeBytes = Buffer.byteLength(text)
  if (sizeBytes > limitBytes) return { kind: 'too_large', sizeBytes }
  const json: Json = JSON.parse(text)
  return { kind: isShallow(json) ? 'carried' : 'too_deep', json }
}

export function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`
}
