/** Encodes a video for playback anywhere: MP4 with H.264 and AAC, at most as large as its source. */
import { join } from 'node:path'
import { z } from 'zod'
import { defineJob, JobError } from '../core/job.ts'
import { refuseDamaged } from './video/damage.ts'
import { runFfmpeg } from './video/ffmpeg.ts'
import { encodeArguments, syncOption } from './video/ffmpeg-args.ts'
import { checkLimits } from './video/limits.ts'
import { planEncode, type qualities } from './video/plan.ts'
import { probe } from './video/probe.ts'
import { verifyOutput } from './video/verify.ts'

export default defineJob({
  key: 'encode.video',
  timeoutSeconds: 6 * 3600,
  // A frame of 8K takes 50 MB, and x264 looks at many at once.
  memoryLimitMb: 16_384,
  params: z.object({
    source: z.object({ key: z.string().min(1).max(1024) }),
    /** The client's name of the file. */
    filename: z.string().max(255).default('video'),
    quality: z.enum(['720p', '1080p', '4k']).default('1080p'),
    format: z.enum(['mp4']).default('mp4'),
  }),
  async run({ source, filename, quality }, context) {
    try {
      return await encode(source.key, filename, quality)
    } catch (error) {
      if (error instanceof JobError && error.code === 'invalid_media') {
        await context.storage.discard(source.key, error.message)
      }
      throw error
    }

    async function encode(key: string, clientName: string, wanted: keyof typeof qualities) {
      const { scratchDirectory, signal, storage, tools, limits, log } = context
      const care = { signal, stallSeconds: limits.stallSeconds, directory: scratchDirectory }
      const input = join(scratchDirectory, 'source')
      const output = join(scratchDirectory, 'output.mp4')
      context.progress({ percent: 0, phase: 'fetching' })
      const { sizeBytes } = await storage.download(key, input)

      const media = await probe(tools.ffprobe, input, care)
      checkLimits(media, sizeBytes, limits.video)
      const plan = planEncode(media, wanted)
      const options = encodeArguments({
        input,
        output,
        plan,
        maxPixels: limits.video.pixels,
        sync: await syncOption(tools.ffmpeg, care),
      })
      log.info('encoding', { width: plan.width, height: plan.height, arguments: options.join(' ') })
      const { frameCount, damagedFrames } = await runFfmpeg(tools.ffmpeg, options, {
        ...care,
        videoStream: media.video.index,
        durationSeconds: media.durationSeconds,
        progress: (progress) => context.progress({ ...progress, phase: 'encoding' }),
      })

      refuseDamaged({ damagedFrames, frameCount })
      if (damagedFrames > 0) log.warn('damaged', { damagedFrames, frameCount })

      const encoded = await probe(tools.ffprobe, output, care)
      verifyOutput(encoded, { plan, source: media, frameCount })
      const name = outputName(clientName, wanted)
      const stored = await storage.upload(output, { name: `${wanted}.mp4`, contentType: 'video/mp4' })
      context.progress({ percent: 100, phase: 'published' })
      return {
        outputs: [
          {
            kind: 'video',
            filename: name,
            contentType: 'video/mp4',
            width: encoded.video.width,
            height: encoded.video.height,
            codec: encoded.video.codec,
            audioCodec: encoded.audio?.codec ?? null,
            bitrate: encoded.bitrate,
            durationSeconds: encoded.durationSeconds,
            frameCount,
            ...stored,
          },
        ],
        source: {
          container: media.container,
          durationSeconds: media.durationSeconds,
          width: media.video.width,
          height: media.video.height,
          rotation: media.video.rotation,
          frameRate: media.video.frameRate,
          videoCodec: media.video.codec,
          audioCodec: media.audio?.codec ?? null,
          sizeBytes,
          damagedFrames,
        },
      }
    }
  },
})

/** `holiday.mov` at 720p becomes `holiday-720p.mp4`. */
function outputName(clientName: string, quality: string): string {
  const base =
    clientName
      .split(/[/\\]/)
      .at(-1)
      ?.replace(/\.[^.]{1,10}$/, '') || 'video'
  return `${base}-${quality}.mp4`
}
