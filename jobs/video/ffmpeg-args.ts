/** The command line of an encode: each option with what breaks without it. */
import { runTool, type ToolCare } from './ffmpeg.ts'
import { inputOptions } from './input.ts'
import type { EncodePlan } from './plan.ts'

export interface EncodeOptions {
  input: string
  output: string
  plan: EncodePlan
  /** Of a picture of the source, whatever it announced. */
  maxPixels: number
  /** From `syncOption`. */
  sync: string[]
}

/** MP4 with H.264 and AAC that starts to play before it is loaded. */
export function encodeArguments({ input, output, plan, maxPixels, sync }: EncodeOptions): string[] {
  const { width, height, maxBitrate, deinterlace, bFrames, videoStream, audio } = plan
  const filters = [
    ...(deinterlace ? ['yadif=deint=interlaced'] : []),
    `scale=${width}:${height}`,
    'setsar=1', // the scaled picture has square pixels; a ratio left over would stretch it again
    'format=yuv420p', // what every player decodes; 4:2:2 or 10 bits play in few
  ]
  // biome-ignore format: options beside their values
  return [
    '-max_pixels', String(maxPixels), // the size may change in the middle
    ...inputOptions(input),
    '-map', `0:${videoStream}`,
    ...(audio === null ? [] : ['-map', `0:${audio.stream}`]),
    '-map_metadata', '-1', // phones write the place of the recording into it
    '-map_chapters', '-1', // they would become a data stream of their own
    '-sn', '-dn',
    ...sync,
    '-vf', filters.join(','),
    '-c:v', 'libx264', '-preset', 'medium', '-profile:v', 'high',
    // FFmpeg before 2020 takes decoding times for the length of MP4, and an end that slows down would be cut off.
    ...(bFrames ? [] : ['-bf', '0']),
    '-crf', '21', '-maxrate', String(maxBitrate), '-bufsize', String(2 * maxBitrate), // bounds bursts of a constant quality
    '-force_key_frames', 'expr:gte(t,n_forced*2)', // players seek to key frames: one at least every 2 s
    ...(audio === null ? [] : [
      '-c:a', 'aac', '-b:a', '160k',
      '-af', 'aresample=async=1', // gaps in the sound are filled, or it would run ahead of the picture
      ...(audio.downmix ? ['-ac', '2'] : []),
      ...(audio.resample ? ['-ar', '48000'] : []),
    ]),
    '-max_muxing_queue_size', '4096', // streams that begin seconds apart overflow the default
    '-movflags', '+faststart', // index first: playback starts before the download ends
    '-f', 'mp4',
    output,
  ]
}

/**
 * Frames keep their own times (variable frame rate). Left to itself FFmpeg before 2020 fills MP4 up to a constant rate,
 * and a screen recording grows a hundredfold. The option's name changed in FFmpeg 5.1; the binary is asked.
 */
export async function syncOption(ffmpeg: string, care: ToolCare): Promise<string[]> {
  const { stdout } = await runTool('FFmpeg', ffmpeg, ['-hide_banner', '-h', 'long'], care)
  return stdout.includes('-fps_mode') ? ['-fps_mode', 'vfr'] : ['-vsync', 'vfr']
}
