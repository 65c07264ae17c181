/** The command line of an encode: each option with what breaks without it. */
import { join } from 'node:path'
import { audioOptions, type Encoders, videoOptions } from './encoders.ts'
import { runTool, type ToolCare } from './ffmpeg.ts'
import { filterGraph } from './filters.ts'
import { inputOptions } from './input.ts'
import { type AudioPlan, type EncodePlan, groupSeconds, type Target } from './plan.ts'

export interface EncodeCommand {
  input: string
  /** Where the targets' files go, each under its name. */
  directory: string
  plan: Pick<EncodePlan, 'videoStream' | 'deinterlace'>
  targets: Target[]
  encoders: Encoders
  /** Of a picture of the source, whatever it announced. */
  maxPixels: number
  /** From `syncOption`. */
  sync: string[]
  /** Of each encoder and of the decoder. */
  threads: number
}

/** One run of FFmpeg that decodes the source once for all targets. */
export function encodeArguments({ input, directory, plan, targets, ...how }: EncodeCommand): string[] {
  const videos = targets.flatMap((target) => ('video' in target ? [target.video] : []))
  let video = 0
  // biome-ignore format: options beside their values
  return [
    '-max_pixels', String(how.maxPixels), // the size may change in the middle
    '-threads', String(how.threads),
    ...inputOptions(input),
    ...(videos.length === 0 ? [] : ['-filter_complex', filterGraph(plan, videos)]),
    ...targets.flatMap((target) => [
      ...('video' in target ? ['-map', `[v${video++}]`, ...how.sync, ...videoOptions(target.video, how.encoders, how.threads)] : []),
      ...('audio' in target && target.audio !== null ? soundOptions(target.audio, target.kind, how.encoders) : []),
      '-map_metadata', '-1', // phones write the place of the recording into it
      '-map_chapters', '-1', // they would become a data stream of their own
      '-sn', '-dn',
      '-max_muxing_queue_size', '4096', // streams that begin seconds apart overflow the default
      ...containerOptions(target),
      join(directory, target.name),
    ]),
  ]
}

function soundOptions(audio: AudioPlan, kind: Target['kind'], encoders: Encoders): string[] {
  const filters = [
    // Gaps in the sound are filled, or it would run ahead of the picture; what is muxed by itself begins at zero.
    kind === 'sound' ? 'aresample=async=1:first_pts=0' : 'aresample=async=1',
    // The encoder puts so many samples in front. Players of segments don't know; so it takes the place of the first ones.
    ...(kind === 'sound' && audio.codec === 'aac' ? [`atrim=start_sample=${aacPriming}`] : []),
  ]
  return ['-map', `0:${audio.stream}`, '-af', filters.join(','), ...audioOptions(audio, encoders)]
}

/** Samples. */
const aacPriming = 1024

function containerOptions(target: Target): string[] {
  if (target.kind === 'file') {
    return target.format === 'webm'
      ? ['-f', 'webm']
      : // Index first: playback starts before the download ends. Opus in MP4 is experimental to FFmpeg before 2020.
        ['-movflags', '+faststart', '-strict', 'experimental', '-f', 'mp4']
  }
  return [
    // A fragment for each group of pictures: what segments are made of. delay_moov: FFmpeg knows what it writes into
    // the index only after the first packets.
    '-movflags', `+delay_moov+default_base_moof${target.kind === 'rendition' ? '+frag_keyframe' : ''}`,
    ...(target.kind === 'sound' ? ['-frag_duration', String(groupSeconds * 1_000_000)] : []),
    '-strict', 'experimental',
    '-f', 'mp4',
  ] // biome-ignore format: options beside their values
}

/**
 * Frames keep their own times (variable frame rate). Left to itself FFmpeg before 2020 fills MP4 up to a constant rate,
 * and a screen recording grows a hundredfold. The option's name changed in FFmpeg 5.1; the binary is asked.
 */
export async function syncOption(ffmpeg: string, care: ToolCare): Promise<string[]> {
  const { stdout } = await runTool('FFmpeg', ffmpeg, ['-hide_banner', '-h', 'long'], care)
  return stdout.includes('-fps_mode') ? ['-fps_mode', 'vfr'] : ['-vsync', 'vfr']
}
