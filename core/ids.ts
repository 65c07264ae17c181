/** Ids are UUIDv7 (RFC 9562): they sort by creation time, and partitions of history are ranges of them. */
import { v7, validate } from 'uuid'

export function newId(): string {
  return v7()
}

export function isId(text: string): boolean {
  return validate(text)
}
