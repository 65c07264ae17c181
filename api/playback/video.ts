/** A video as clients see it: what its first encode gave, and what later ones added or did again. */
import { z } from 'zod'
import type { Sql } from '../../core/db.ts'
import { JobNotFound } from '../../core/errors.ts'
import { readJob } from '../../core/queue/read.ts'
import type { JobView } from '../../core/queue/row.ts'
import { readAdditions } from '../../core/videos/additions.ts'
import { asOneJob } from '../../core/videos/parts.ts'

export const definitionKey = 'encode.video'

const Range = z.tuple([z.int(), z.int()])
const Stored = { key: z.string(), filename: z.string(), contentType: z.string() }

const Rendition = z.looseObject({
  ...Stored,
  kind: z.literal('rendition'),
  name: z.string(),
  ...{ width: z.int(), height: z.int(), frameRate: z.number(), codec: z.string(), codecs: z.string() },
  ...{ bitrate: z.number(), peakBitrate: z.number(), durationSeconds: z.number() },
  ...{ headRange: Range, indexRange: Range, playlistKey: z.string() },
  /** In its pictures. Earlier releases did not look for them. */
  closedCaptions: z.boolean().optional(),
})
export type Rendition = z.output<typeof Rendition>

const Sound = z.looseObject({
  ...Stored,
  kind: z.literal('audio'),
  name: z.string(),
  ...{ codec: z.string(), codecs: z.string(), channels: z.int(), sampleRate: z.int() },
  ...{ language: z.string().nullable(), title: z.string().nullable() },
  ...{ bitrate: z.number(), peakBitrate: z.number(), durationSeconds: z.number() },
  ...{ headRange: Range, indexRange: Range, playlistKey: z.string() },
})
export type Sound = z.output<typeof Sound>

/** The contract's one output: those of before had no name. */
const File = z.looseObject({ ...Stored, kind: z.literal('video'), name: z.string().default('video.mp4') })

const Subtitles = z.looseObject({
  ...Stored,
  kind: z.literal('subtitles'),
  name: z.string(),
  ...{ language: z.string().nullable(), title: z.string().nullable(), playlistKey: z.string() },
})
export type Subtitles = z.output<typeof Subtitles>

/** `sheet`: the pictures that a storyboard is made of. */
const Picture = z.looseObject({
  ...Stored,
  kind: z.enum(['poster', 'thumbnail', 'storyboard', 'sheet']),
  name: z.string(),
})

const Output = z.discriminatedUnion('kind', [File, Rendition, Sound, Subtitles, Picture])
export type Output = z.output<typeof Output>

type MadeOutput = Output & {
  /** Of the encode that made it: one that is done again has another. */
  jobId: string
}

/** What `encode.video` returns, as far as clients see it. */
const EncodeResult = z.object({ outputs: z.array(Output), source: z.looseObject({}) })

export interface Video {
  job: JobView
  additions: JobView[]
  /** Null until an encode has succeeded. */
  source: Record<string, unknown> | null
  /** Of those by one name the latest. */
  outputs: MadeOutput[]
}

/** @throws JobNotFound */
export async function readVideo(sql: Sql, videoId: string): Promise<Video> {
  const first = await readJob(sql, videoId)
  if (first?.definitionKey !== definitionKey) throw new JobNotFound(videoId)
  const job = await asOneJob(sql, first)
  const additions = []
  for (const addition of await readAdditions(sql, videoId)) additions.push(await asOneJob(sql, addition))
  const outputs = new Map<string, MadeOutput>()
  for (const each of [job, ...additions]) {
    for (const output of resultOf(each)?.outputs ?? []) {
      outputs.set(output.name, { ...output, jobId: each.jobId })
    }
  }
  const result = [job, ...additions].map(resultOf).find((each) => each !== null)
  return { job, additions, source: result?.source ?? null, outputs: [...outputs.values()] }
}

function resultOf(job: JobView): z.output<typeof EncodeResult> | null {
  return job.status === 'succeeded' ? EncodeResult.parse(job.result) : null
}

export function ofKind<Kind extends Output['kind']>(outputs: Output[], kind: Kind) {
  return outputs.filter((output): output is Extract<Output, { kind: Kind }> => output.kind === kind)
}

/** In the order in which the codecs first come. */
export function byCodec<Track extends { codec: string }>(tracks: Track[]): Map<string, Track[]> {
  const groups = new Map<string, Track[]>()
  for (const track of tracks) groups.set(track.codec, [...(groups.get(track.codec) ?? []), track])
  return groups
}
