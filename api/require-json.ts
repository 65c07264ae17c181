/**
 * Refuses bodies that are not JSON, and those that would be changed silently (bytes, numbers) or could exhaust the stack
 * later.
 */
import { RequestProblem } from './problem.ts'

/** All that walks over a body afterwards may do so by recursion. */
const maxDepth = 100

/** @throws RequestProblem malformed_body */
export function requireJson(bytes: ArrayBuffer): void {
  const text = decode(bytes)
  scan(text)
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

/** In one pass, as a body may be large. */
function scan(text: string): void {
  let depth = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (inString) {
      if (character === backslash) at++
      else if (character === quote) inString = false
    } else if (character === quote) inString = true
    else if (character === openBrace || character === openBracket) {
      if (++depth > maxDepth) throw malformed(`The body is nested deeper than ${maxDepth} levels.`)
    } else if (character === closeBrace || character === closeBracket) depth--
    else if (isDigit(character)) {
      const end = endOfNumber(text, at)
      if (end - at >= shortestThatChanges) requireKept(text.slice(at, end))
      at = end - 1
    }
  }
}

function endOfNumber(text: string, start: number): number {
  let end = start + 1
  while (isPartOfNumber(text.charCodeAt(end))) end++
  return end
}

/**
 * JSON's numbers have no end, ours are doubles: what would come back as another number, or as null, is refused.
 * @param literal without its minus
 */
function requireKept(literal: string): void {
  const value = Number(literal)
  // Fractions are rounded wherever JSON is read; what is no number at all, the parser refuses.
  if (Number.isSafeInteger(value) || (value !== Infinity && !Number.isInteger(value))) return
  if (value !== Infinity && !(integer.test(literal) && changes(literal, value))) return
  const shown = literal.length <= shownDigits ? literal : `${literal.slice(0, shownDigits)}…`
  throw malformed(`The number ${shown} can't be kept as it is; send it as a string.`)
}

/** Whether the number that is written for the double is another: from 2^53 on it is the shortest of several integers. */
function changes(digits: string, value: number): boolean {
  if (String(value) === digits) return false
  const [written = '', exponent] = value.toExponential().split('e')
  return written.replace('.', '') !== digits.replace(/0+$/, '') || Number(exponent) !== digits.length - 1
}

function isDigit(character: number): boolean {
  return character >= zero && character <= nine
}

function isPartOfNumber(character: number): boolean {
  return isDigit(character) || signsInNumbers.includes(character)
}

const integer = /^\d+$/
/** 1e309 */
const shortestThatChanges = 5
const shownDigits = 40
const zero = 0x30
const nine = 0x39
/** . + - e E */
const signsInNumbers = [0x2e, 0x2b, 0x2d, 0x65, 0x45]
const quote = 0x22
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

function malformed(message: string, cause?: unknown): RequestProblem {
  return new RequestProblem('malformed_body', message, [], { cause })
}
