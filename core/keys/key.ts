/** API keys as the rest of the code knows them. The secret exists in clear only in the answer to its creation. */
import { createHash, randomBytes } from 'node:crypto'
import type { Sql } from '../db.ts'

/** `admin` includes the others; neither of these includes the other. */
export const scopes = ['read', 'enqueue', 'admin'] as const
export type Scope = (typeof scopes)[number]

export interface ApiKey {
  id: string
  name: string
  scopes: Scope[]
  /** How the secret begins. */
  prefix: string
  createdAt: Date
  expiresAt: Date | null
  revokedAt: Date | null
  /** To the minute. */
  lastUsedAt: Date | null
}

/** Makes secrets recognisable, to people and to scanners for leaked ones. */
const mark = 'jsk_'
const prefixLength = 10

/** 256 random bits: no guess finds one, so no slow hash is needed. */
export function newSecret(): string {
  return mark + randomBytes(32).toString('base64url')
}

export function prefixOf(secret: string): string {
  return secret.slice(0, prefixLength)
}

export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

/** Whether it has the form of a key: what has not is no reason to ask the database. */
export function looksLikeSecret(text: string): boolean {
  return /^jsk_[\w-]{43}$/.test(text)
}

export function keyColumns(sql: Sql) {
  return sql`id, name, scopes, prefix, created_at, expires_at, revoked_at, last_used_at`
}
