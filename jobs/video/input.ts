/** How FFmpeg and ffprobe are given a video: they open that one file, and nothing that it names. */

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

/** A file of the scratch directory, or a link to our own store. */
export type Input = string | URL

/** As FFmpeg and ffprobe both take it. */
export function inputOptions(input: Input): string[] {
  return typeof input === 'string' ? fileOptions(input) : linkOptions(input)
}

function linkOptions({ href }: URL): string[] {
  return [
    '-protocol_whitelist', 'http,tcp',
    '-format_whitelist', formats.join(','),
    '-reconnect', '1', // a response ends before the file does: FFmpeg asks for what comes next when it needs it
    '-seekable', '1',
    '-i', href,
  ] // biome-ignore format: options beside their values
}

function fileOptions(file: string): string[] {
  return [
    '-protocol_whitelist', 'file', // a reference hidden in the file must not reach the network
    '-format_whitelist', formats.join(','),
    '-i', `file:${file}`, // a name with a colon is not taken for a protocol
  ] // biome-ignore format: options beside their values
}
