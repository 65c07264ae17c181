/** Where the next page of a list begins. Opaque to clients, so that it may come to mean something else. */
import { z } from 'zod'
import { isId } from '../core/ids.ts'

const mark = 'v1:'

export function cursorBehind(id: string): string {
  return Buffer.from(mark + id).toString('base64url')
}

/** Parses to the id behind which the page begins. */
export const cursor = z
  .string()
  .max(200)
  .transform((value, context) => {
    const decoded = Buffer.from(value, 'base64url').toString()
    const id = decoded.slice(mark.length)
    if (decoded.startsWith(mark) && isId(id)) return id
    context.addIssue({ code: 'custom', message: 'expected a cursor that a list answered with' })
    return z.NEVER
  })
  .meta({ openapi: { type: 'string', description: 'The nextCursor of an earlier answer.' } })
