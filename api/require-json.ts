/** Refuses bodies that are not JSON, and those that would be changed silently or could exhaust the stack later. */
import { RequestProblem } from './problem.ts'

/** All that walks over a body afterwards may do so by recursion. */
const maxDepth = 100

/** @throws RequestProblem malformed_body */
export function requireJson(bytes: ArrayBuffer): void {
  const text = decode(bytes)
  if (depthOf(text) > maxDepth) {
    throw malformed(`The body is nested deeper than ${maxDepth} levels.`)
  }
  try {
    JSON.parse(text)
  } catch (cause) {
    throw malformed('The body is not valid JSON.', cause)
  }
}

function decode(bytes: ArrayBuffer): string {
  try {
    // Not fatal, it would put U+FFFD where the client sent something else.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw malformed('The body is not valid UTF-8.', cause)
  }
}

function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (inString) {
      if (character === backslash) at++
      else if (character === quote) inString = false
    } else if (character === quote) inString = true
    else if (character === openBrace || character === openBracket) deepest = Math.max(deepest, ++depth)
    else if (character === closeBrace || character === closeBracket) depth--
  }
  return deepest
}

const quote = 0x22
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

function malformed(message: string, cause?: unknown): RequestProblem {
  return new RequestProblem('malformed_body', message, [], { cause })
}
