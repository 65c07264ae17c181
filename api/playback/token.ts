/**
 * Tokens that let a player follow a video without an API key: players send no headers of their own. A token stands in
 * the URL, is good for one video's playback routes, and runs out.
 *
 *   expiry in seconds since 1970, base 36 · HMAC-SHA-256 of video and expiry under a secret of all API processes
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Sql } from '../../core/db.ts'
import { sharedSecret } from '../../core/keys/secrets.ts'

export interface PlaybackTokens {
  issue(videoId: string, lifeSeconds: number): Promise<string>
  isGood(videoId: string, token: string): Promise<boolean>
}

export function createPlaybackTokens(sql: Sql): PlaybackTokens {
  let secret: Promise<Uint8Array> | undefined
  const known = () => {
    secret ??= sharedSecret(sql, 'playback').catch((error) => {
      secret = undefined
      throw error
    })
    return secret
  }
  return {
    async issue(videoId, lifeSeconds) {
      const expiry = (Math.floor(Date.now() / 1000) + lifeSeconds).toString(36)
      return `${expiry}.${sign(await known(), videoId, expiry)}`
    },
    async isGood(videoId, token) {
      const [expiry = '', signature = '', ...others] = token.split('.')
      // It goes into playlists as it came: nothing but what was signed may be in it.
      if (others.length > 0) return false
      if (!/^[0-9a-z]{1,10}$/.test(expiry) || Number.parseInt(expiry, 36) * 1000 < Date.now()) return false
      const expected = Buffer.from(sign(await known(), videoId, expiry))
      const given = Buffer.from(signature)
      return given.length === expected.length && timingSafeEqual(given, expected)
    },
  }
}

function sign(secret: Uint8Array, videoId: string, expiry: string): string {
  return createHmac('sha256', secret).update(`${videoId}.${expiry}`).digest('base64url')
}
