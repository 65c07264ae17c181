/** The command lines of FFmpeg and ffprobe: each option with what breaks without it. */
import { runTool } from './ffmpeg.ts'
import type { EncodePlan } from './plan.ts'

/** Containers we take. Playlists and concat scripts are left out: they name other files for FFmpeg to open. */
const formats = [
  'mov,mp4,m4a,3gp,3g2,mj2',
  'matroska,webm',
  'avi',
  'flv',
  'live_flv',
  'mpegts',
  'mpeg',
  'mpegvideo',
  'ogg',
  'asf',
  'mxf',
  'rm',
  'gif',
  'h264',
  'hevc',
  'ivf',
  'm4v',
  'dv',
  'nut',
  'wtv',
  'yuv4mpegpipe',
]

/** Reads a file of the scratch directory, as FFmpeg and ffprobe both take it. */
export function inputOptions(file: string): string[] {
  return [
    '-protocol_whitelist', 'file', // a reference hidden in the file must not reach the network
    '-format_whitelist', formats.join(','),
    '-i', `file:${file}`, // a name with a colon is not taken for a protocol
  ] // biome-ignore format: options beside their values
}

export interface EncodeOptions {
  input: string
  output: string
  plan: EncodePlan
  /** From `syncOption`. */
  sync: string[]
}

/** MP4 with H.264 and AAC that starts to play before it is loaded. */
export function encodeArguments({ input, output, plan, sync }: EncodeOptions): string[] {
  const { width, height, maxBitrate, deinterlace, bFrames, videoStream, audio } = plan
  const filters = [
    ...(deinterlace ? ['yadif=deint=interlaced'] : []),
    `scale=${width}:${height}`,
    'setsar=1', // the scaled picture has square pixels; a ratio left over would stretch it again
    'format=yuv420p', // what every player decodes; 4:2:2 or 10 bits play in few
  ]
  // biome-ignore format: options beside their values
  return [
    '-hide_banner', '-nostdin', '-y',
    '-loglevel', 'warning',
    '-progress', 'pipe:1', '-nostats',
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
export async function syncOption(ffmpeg: string, signal: AbortSignal): Promise<string[]> {
  const { stdout } = await runTool(ffmpeg, ['-hide_banner', '-h', 'long'], { signal })
  return stdout.includes('-fps_mode') ? ['-fps_mode', 'vfr'] : ['-vsync', 'vfr']
}
