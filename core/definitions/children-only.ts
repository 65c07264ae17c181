/**
 * Definitions whose jobs exist as children alone: their parameters lean on what the parent has looked at, and what they
 * make is of use to nobody else. A list of ours rather than a word in the definition's file, so that it holds whichever
 * release registered them.
 */

import { OnlyAsChild } from '../errors.ts'
import { internalDefinitions } from './internal.ts'

/** A part of a video: `encode.video` has held the source to its limits, and joins what comes of the part. */
const childrenOnly = ['encode.part']

/** Of which no job is made anew from one that has ended: by then nobody waits for it. */
export const neverRedriven = [...internalDefinitions, ...childrenOnly]

/** For jobs without a parent. @throws OnlyAsChild */
export function requireAlone(definitionKey: string): void {
  if (childrenOnly.includes(definitionKey)) throw new OnlyAsChild(definitionKey)
}
