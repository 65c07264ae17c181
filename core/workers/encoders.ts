/** What the FFmpegs of the workers can encode, as far as the workers have told. */
import type { Sql } from '../db.ts'
import { type AudioCodec, encodersOf, type VideoCodec } from '../encode/options.ts'
import { EncoderMissing } from '../errors.ts'
import { silentSeconds } from './read.ts'

/**
 * One worker does the whole of an encode, so one must have them all. While none that lives has told what it has, the
 * job may be enqueued and waits for one.
 * @throws EncoderMissing
 */
export async function requireEncoders(sql: Sql, codecs: (VideoCodec | AudioCodec)[]): Promise<void> {
  const workers = await sql<{ encoders: string[] }[]>`
    select info -> 'ffmpeg' -> 'encoders' as encoders from job_server.workers
    where kind = 'worker' and heartbeat_at > now() - make_interval(secs => ${silentSeconds})
      and jsonb_typeof(info -> 'ffmpeg' -> 'encoders') = 'array'`
  const lacking = workers.map(({ encoders }) =>
    codecs.filter((codec) => !encodersOf[codec].some((name) => encoders.includes(name))),
  )
  const [least] = lacking.toSorted((a, b) => a.length - b.length)
  if (least === undefined || least.length === 0) return
  throw new EncoderMissing(least.map((codec) => ({ codec, encoders: encodersOf[codec] })))
}
