/**
 * Awkward inputs: what phones, cameras, browsers, broadcasters and the ill-disposed send. Each is made with the FFmpeg at
 * hand, small, in a fraction of a second.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runFor, turn } from '../clips.ts'
import { dice } from '../dice.ts'

export interface Input {
  what: string
  /** How its encode ends. */
  ends: 'succeeded' | 'invalid_media' | 'unsupported_codec' | 'limit_exceeded'
  make(kit: Kit): Promise<Uint8Array>
}

/** A directory to make inputs in. */
export interface Kit {
  /** Runs FFmpeg; the last option is the name of the file whose bytes are wanted. */
  ffmpeg(...options: string[]): Promise<Uint8Array>
  path(name: string): string
}

export async function withKit<Result>(root: string, use: (kit: Kit) => Promise<Result>): Promise<Result> {
  const directory = await mkdtemp(join(root, 'kit-'))
  const path = (name: string) => join(directory, name)
  try {
    return await use({
      path,
      ffmpeg: async (...options) => {
        const name = options.at(-1) ?? ''
        await runFor(directory, ['-v', 'error', '-y', ...options])
        return await readFile(path(name))
      },
    })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

const lavfi = (source: string) => ['-f', 'lavfi', '-i', source]
const picture = (size = '96x64', rate = '25', seconds = 0.4) =>
  lavfi(`testsrc2=size=${size}:rate=${rate}:duration=${seconds}`)
const tone = (seconds = 0.4, rate = 48_000) =>
  lavfi(`sine=frequency=440:sample_rate=${rate}:duration=${seconds}`)
const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']
const aac = ['-c:a', 'aac']

type Ends = Input['ends']

/** A picture and a tone, with these options. */
function film(what: string, name: string, options: string[], ends: Ends = 'succeeded'): Input {
  return { what, ends, make: (kit) => kit.ffmpeg(...picture(), ...tone(), ...options, name) }
}

/** A picture alone, of a kind of its own. */
function silent(what: string, source: string[], ...rest: string[]): Input {
  return { what, ends: 'succeeded', make: (kit) => kit.ffmpeg(...source, ...rest) }
}

/** These bytes. */
function bytes(what: string, content: string | Uint8Array): Input {
  return { what, ends: 'invalid_media', make: async () => Buffer.from(content) }
}

const pictures: Input[] = [
  ...([90, 180, 270] as const).map(
    (degrees): Input => ({
      what: `a picture to be turned by ${degrees}°`,
      ends: 'succeeded',
      make: async (kit) => {
        await kit.ffmpeg(...picture(), ...x264, 'turned.mov')
        await turn(kit.path('turned.mov'), degrees)
        return await readFile(kit.path('turned.mov'))
      },
    }),
  ),
  silent('odd width and height', picture('95x63'), '-c:v', 'ffv1', 'odd.mkv'),
  silent('2 by 2 pixels', picture('2x2'), '-c:v', 'ffv1', 'small.mkv'),
  silent(
    'one pixel',
    picture('16x16'),
    '-vf',
    'format=rgb24,crop=1:1',
    '-c:v',
    'rawvideo',
    '-pix_fmt',
    'rgb24',
    'one.nut',
  ),
  silent('4096 by 2 pixels', picture('4096x16'), '-vf', 'crop=4096:2', '-c:v', 'ffv1', 'wide.mkv'),
  silent('2 by 4096 pixels', picture('16x4096'), '-vf', 'crop=2:4096', '-c:v', 'ffv1', 'tall.mkv'),
  silent('pixels ten times as wide as high', picture(), '-vf', 'setsar=10', ...x264, 'wide.mp4'),
  silent('pixels ten times as high as wide', picture(), '-vf', 'setsar=1/10', ...x264, 'high.mp4'),
  silent(
    'interlaced H.264',
    picture('96x64', '50'),
    '-vf',
    'interlace',
    ...x264,
    '-flags',
    '+ilme+ildct',
    'i.mp4',
  ),
  silent(
    'interlaced MPEG-2, the lower field first',
    picture('96x64', '50'),
    ...['-vf', 'interlace=scan=bff', '-c:v', 'mpeg2video', '-flags', '+ilme+ildct', '-top', '0', 'i.ts'],
  ),
  silent('10 bits', picture(), '-c:v', 'ffv1', '-pix_fmt', 'yuv420p10le', 'ten.mkv'),
  silent(
    '10 bits in HEVC',
    picture(),
    '-c:v',
    'libx265',
    '-preset',
    'ultrafast',
    '-pix_fmt',
    'yuv420p10le',
    'h.mp4',
  ),
  silent(
    'HDR: BT.2020 with PQ',
    picture(),
    ...['-c:v', 'libx265', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p10le'],
    ...['-color_primaries', 'bt2020', '-color_trc', 'smpte2084', '-colorspace', 'bt2020nc', 'pq.mp4'],
  ),
  silent(
    'HDR: BT.2020 with HLG',
    picture(),
    ...['-c:v', 'libx265', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p10le'],
    ...['-color_primaries', 'bt2020', '-color_trc', 'arib-std-b67', '-colorspace', 'bt2020nc', 'hlg.mkv'],
  ),
  silent('4:4:4', picture(), '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv444p', 'full.mp4'),
  silent('4:2:2 in ProRes', picture(), '-c:v', 'prores_ks', 'prores.mov'),
  silent('ProRes with transparency', picture(), '-c:v', 'prores_ks', '-pix_fmt', 'yuva444p10le', 'alpha.mov'),
  silent('RGB in H.264', picture(), '-c:v', 'libx264rgb', '-preset', 'ultrafast', 'rgb.mkv'),
  silent('full range', picture(), '-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p', 'full.avi'),
  silent('grey', picture(), '-c:v', 'ffv1', '-pix_fmt', 'gray', 'grey.mkv'),
  silent('black and white', picture(), '-c:v', 'png', '-pix_fmt', 'monob', 'mono.mov'),
  silent('transparency in PNG', picture(), '-c:v', 'png', '-pix_fmt', 'rgba', 'rgba.mov'),
  silent('16 bits a colour', picture(), '-c:v', 'png', '-pix_fmt', 'rgb48be', 'deep.mov'),
  silent('QuickTime animation', picture(), '-c:v', 'qtrle', '-pix_fmt', 'argb', 'rle.mov'),
]

const times: Input[] = [
  silent(
    'a variable frame rate',
    picture('96x64', '25', 1),
    '-vf',
    "select='lt(t,.5)+not(mod(n,5))'",
    '-vsync',
    '2',
    ...x264,
    'v.mkv',
  ),
  silent(
    'a gap of two seconds',
    picture(),
    '-vf',
    "setpts='PTS+gte(N,5)*2/TB'",
    '-vsync',
    '2',
    ...x264,
    'gap.mp4',
  ),
  silent('a picture every ten seconds', picture('96x64', '1/10', 30), ...x264, 'slow.mp4'),
  silent('240 pictures a second', picture('96x64', '240', 0.1), ...x264, 'fast.mp4'),
  {
    what: '1000 pictures a second',
    ends: 'limit_exceeded',
    make: (kit) => kit.ffmpeg(...picture('96x64', '1000', 0.1), ...x264, 'faster.mp4'),
  },
  silent('23.976 pictures a second', picture('96x64', '24000/1001'), ...x264, 'film.mp4'),
  silent('a single picture in MP4', picture(), '-frames:v', '1', ...x264, 'one.mp4'),
  silent('a single picture in Matroska', picture(), '-frames:v', '1', ...x264, 'one.mkv'),
  silent('one key frame, then none for ever', picture('96x64', '25', 2), ...x264, '-g', '9999', 'gop.mp4'),
  silent('key frames only', picture(), ...x264, '-g', '1', 'intra.mp4'),
  silent(
    'B-frames that refer to each other, and open groups of pictures',
    picture('96x64', '25', 1),
    ...['-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-g', '10', '-bf', '4'],
    ...['-x264-params', 'b-pyramid=normal:open-gop=1', 'open.mp4'],
  ),
  {
    what: 'times below zero',
    ends: 'succeeded',
    make: (kit) => {
      const early = ['-itsoffset', '-0.2', ...picture(), '-itsoffset', '-0.2', ...tone()]
      return kit.ffmpeg(...early, ...x264, ...aac, '-avoid_negative_ts', 'disabled', 'negative.mkv')
    },
  },
  {
    what: 'an edit list that begins in the middle',
    ends: 'succeeded',
    make: async (kit) => {
      await kit.ffmpeg(...picture('96x64', '25', 1), ...tone(1), ...x264, ...aac, 'whole.mp4')
      return await kit.ffmpeg('-ss', '0.3', '-i', kit.path('whole.mp4'), '-c', 'copy', 'edited.mp4')
    },
  },
  {
    what: 'a picture that begins after the sound',
    ends: 'succeeded',
    make: (kit) => kit.ffmpeg('-itsoffset', '0.5', ...picture(), ...tone(1), ...x264, ...aac, 'late.mkv'),
  },
  {
    what: 'sound that begins after the picture',
    ends: 'succeeded',
    make: (kit) =>
      kit.ffmpeg(...picture('96x64', '25', 1), '-itsoffset', '0.5', ...tone(), ...x264, ...aac, 'late.mp4'),
  },
  {
    what: 'sound three seconds longer than the picture',
    ends: 'succeeded',
    make: (kit) => kit.ffmpeg(...picture(), ...tone(3.4), ...x264, ...aac, 'long.mp4'),
  },
  {
    what: 'sound of a tenth of a second',
    ends: 'succeeded',
    make: (kit) => kit.ffmpeg(...picture('96x64', '25', 1), ...tone(0.1), ...x264, ...aac, 'short.mp4'),
  },
]

const sounds: Input[] = [
  film('one channel', 'mono.mp4', [...x264, ...aac, '-ac', '1']),
  film('5.1 channels', 'surround.mkv', [...x264, '-c:a', 'ac3', '-ac', '6']),
  film('7.1 channels', 'more.mkv', [...x264, '-c:a', 'flac', '-ac', '8']),
  film('8 kHz', 'low.mov', [...x264, '-c:a', 'pcm_mulaw', '-ar', '8000', '-ac', '1']),
  film('96 kHz of 24 bits', 'high.mov', [...x264, '-c:a', 'pcm_s24le', '-ar', '96000']),
  film('floating point', 'float.mkv', [...x264, '-c:a', 'pcm_f32le']),
  film('ALAC', 'lossless.mov', [...x264, '-c:a', 'alac']),
  film('Vorbis', 'vorbis.mkv', [...x264, '-c:a', 'libvorbis']),
  silent('no sound', picture(), ...x264, 'silent.mp4'),
  {
    what: 'eight tracks of sound',
    ends: 'succeeded',
    make: (kit) => {
      const tracks = Array.from({ length: 8 }, () => ['-map', '1:a']).flat()
      return kit.ffmpeg(...picture(), ...tone(), '-map', '0:v', ...tracks, ...x264, ...aac, 'tracks.mp4')
    },
  },
  {
    what: 'sound only, in MP4',
    ends: 'invalid_media',
    make: (kit) => kit.ffmpeg(...tone(), ...aac, 'sound.mp4'),
  },
  {
    what: 'sound only, in Matroska',
    ends: 'invalid_media',
    make: (kit) => kit.ffmpeg(...tone(), '-c:a', 'flac', 'sound.mka'),
  },
  { what: 'sound only, in WAV', ends: 'invalid_media', make: (kit) => kit.ffmpeg(...tone(), 'sound.wav') },
]

const subtitle = '1\n00:00:00,000 --> 00:00:00,300\nHello\n'
/** A file beside the picture and the tone. */
async function beside(kit: Kit, name: string, content: string, ...options: string[]): Promise<Uint8Array> {
  await Bun.write(kit.path(name), content)
  return await kit.ffmpeg(...picture(), ...tone(), ...options)
}

const streams: Input[] = [
  {
    what: 'subtitles in Matroska',
    ends: 'succeeded',
    make: (kit) => beside(kit, 's.srt', subtitle, '-i', kit.path('s.srt'), ...x264, ...aac, 'subtitles.mkv'),
  },
  {
    what: 'styled subtitles',
    ends: 'succeeded',
    make: (kit) =>
      beside(kit, 's.srt', subtitle, '-i', kit.path('s.srt'), ...x264, ...aac, '-c:s', 'ass', 'styled.mkv'),
  },
  {
    what: 'subtitles in MP4',
    ends: 'succeeded',
    make: (kit) =>
      beside(kit, 's.srt', subtitle, '-i', kit.path('s.srt'), ...x264, ...aac, '-c:s', 'mov_text', 's.mp4'),
  },
  {
    what: 'subtitles only',
    ends: 'invalid_media',
    make: async (kit) => {
      await Bun.write(kit.path('s.srt'), subtitle)
      return await kit.ffmpeg('-i', kit.path('s.srt'), 'only.mkv')
    },
  },
  film('a time code', 'timecode.mov', [...x264, ...aac, '-timecode', '01:00:00:00']),
  film('a title of 100 kB', 'title.mkv', [...x264, ...aac, '-metadata', `title=${'x'.repeat(100_000)}`]),
  {
    what: 'a cover beside the video',
    ends: 'succeeded',
    make: (kit) => {
      const cover = [
        '-map',
        '0:v',
        '-map',
        '1:a',
        '-map',
        '2:v',
        '-c:v:1',
        'mjpeg',
        '-disposition:v:1',
        'attached_pic',
      ]
      const still = lavfi('color=red:size=64x64:duration=0.04')
      return kit.ffmpeg(
        ...picture(),
        ...tone(),
        ...still,
        ...x264,
        ...aac,
        ...cover,
        '-pix_fmt:v:1',
        'yuvj420p',
        'cover.mp4',
      )
    },
  },
  {
    what: 'sound with a cover',
    ends: 'invalid_media',
    make: (kit) => {
      const cover = ['-map', '0:a', '-map', '1:v', '-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p']
      const still = lavfi('color=red:size=64x64:duration=0.04')
      return kit.ffmpeg(...tone(), ...still, ...cover, '-disposition:v', 'attached_pic', ...aac, 'cover.m4a')
    },
  },
  {
    what: 'a font as an attachment',
    ends: 'succeeded',
    make: (kit) => {
      const attach = [
        '-attach',
        kit.path('font.ttf'),
        '-metadata:s:t',
        'mimetype=application/x-truetype-font',
      ]
      return beside(kit, 'font.ttf', 'no font', ...x264, ...aac, ...attach, 'attached.mkv')
    },
  },
  {
    what: 'two pictures, of which the second is the default',
    ends: 'succeeded',
    make: (kit) => {
      const both = ['-map', '0:v', '-map', '1:v', '-disposition:v:0', '0', '-disposition:v:1', 'default']
      return kit.ffmpeg(...picture(), ...picture('64x48'), ...both, ...x264, 'two.mkv')
    },
  },
  {
    what: 'chapters',
    ends: 'succeeded',
    make: (kit) => {
      const chapters = ';FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/10\nSTART=0\nEND=2\ntitle=one\n'
      return beside(
        kit,
        'c.txt',
        chapters,
        '-i',
        kit.path('c.txt'),
        '-map_metadata',
        '2',
        ...x264,
        ...aac,
        'c.mp4',
      )
    },
  },
]

const containers: Input[] = [
  film('MP4', 'plain.mp4', [...x264, ...aac]),
  film('MP4 with its index in front', 'front.mp4', [...x264, ...aac, '-movflags', '+faststart']),
  film('MP4 in fragments', 'fragments.mp4', [
    ...x264,
    ...aac,
    '-movflags',
    'frag_keyframe+empty_moov',
    '-g',
    '5',
  ]),
  film('MP4 in fragments of single pictures', 'f.mp4', [
    ...x264,
    ...aac,
    '-movflags',
    'frag_every_frame+empty_moov+default_base_moof',
  ]),
  film(
    'MP4 with encrypted samples',
    'secret.mp4',
    [
      ...[
        ...x264,
        ...aac,
        '-encryption_scheme',
        'cenc-aes-ctr',
        '-encryption_key',
        '76a6c65c5ea762046bd749a2e632ccbb',
      ],
      ...['-encryption_kid', 'a7e61c373e219033c21091fa607bf3b8'],
    ],
    'invalid_media',
  ),
  film('Matroska that does not say how long it is', 'live.mkv', [...x264, ...aac, '-live', '1']),
  film('WebM that does not say how long it is', 'live.webm', [
    ...['-c:v', 'libvpx', '-deadline', 'realtime', '-c:a', 'libopus', '-live', '1'],
  ]),
  film('WebM with VP9', 'nine.webm', [
    ...['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-c:a', 'libopus'],
  ]),
  film('AVI with B-frames', 'b.avi', ['-c:v', 'mpeg4', '-bf', '2', '-c:a', 'libmp3lame']),
  film('AVI with MJPEG', 'mjpeg.avi', ['-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p', '-c:a', 'pcm_s16le']),
  film('AVI without compression', 'raw.avi', ['-c:v', 'rawvideo', '-pix_fmt', 'bgr24', '-c:a', 'pcm_s16le']),
  film('AVI with MS MPEG-4', 'ms.avi', ['-c:v', 'msmpeg4v2', '-c:a', 'pcm_s16le']),
  film('AVI with HuffYUV', 'huff.avi', ['-c:v', 'huffyuv', '-c:a', 'pcm_s16le']),
  film('Windows Media', 'clip.wmv', ['-c:v', 'wmv2', '-c:a', 'wmav2']),
  film('Flash', 'clip.flv', ['-c:v', 'flv', '-c:a', 'libmp3lame', '-ar', '44100']),
  film('Ogg with Theora', 'clip.ogv', ['-c:v', 'libtheora', '-c:a', 'libvorbis']),
  film('an MPEG programme stream', 'clip.mpg', ['-c:v', 'mpeg2video', '-c:a', 'mp2']),
  film('a transport stream', 'clip.ts', [...x264, ...aac]),
  film('a transport stream near the wrap of its clock', 'w.ts', [
    ...x264,
    ...aac,
    '-output_ts_offset',
    '95443.5',
  ]),
  film('MXF', 'clip.mxf', ['-c:v', 'mpeg2video', '-c:a', 'pcm_s16le']),
  film('NUT', 'clip.nut', ['-c:v', 'ffv1', '-c:a', 'pcm_s16le']),
  {
    what: 'a transport stream that jumps in time',
    ends: 'succeeded',
    make: async (kit) => {
      const parts = [
        await kit.ffmpeg(...picture(), ...tone(), ...x264, ...aac, '-output_ts_offset', '5000', 'first.ts'),
        await kit.ffmpeg(...picture(), ...tone(), ...x264, ...aac, 'second.ts'),
      ]
      return Buffer.concat(parts)
    },
  },
  {
    what: 'a transport stream whose pictures change their size',
    ends: 'succeeded',
    make: async (kit) => {
      const parts = [
        await kit.ffmpeg(...picture(), ...x264, 'first.ts'),
        await kit.ffmpeg(...picture('160x120'), ...x264, '-output_ts_offset', '0.4', 'second.ts'),
      ]
      return Buffer.concat(parts)
    },
  },
  {
    what: 'a transport stream that was switched on in the middle',
    ends: 'succeeded',
    make: async (kit) => {
      const whole = await kit.ffmpeg(...picture('96x64', '25', 2), ...x264, '-g', '25', 'whole.ts')
      return whole.subarray(188 * Math.floor(whole.length / 188 / 3))
    },
  },
  {
    what: 'MP4 with noise behind it',
    ends: 'succeeded',
    make: async (kit) => Buffer.concat([await kit.ffmpeg(...picture(), ...x264, 'clip.mp4'), noise(10_000)]),
  },
  silent('raw H.264', picture(), ...x264, 'raw.h264'),
  silent('raw HEVC', picture(), '-c:v', 'libx265', '-preset', 'ultrafast', 'raw.hevc'),
  silent('IVF with VP8', picture(), '-c:v', 'libvpx', '-deadline', 'realtime', 'clip.ivf'),
  silent('YUV4MPEG', picture(), '-pix_fmt', 'yuv420p', 'clip.y4m'),
  silent('3GP with H.263', picture('176x144'), '-c:v', 'h263', 'clip.3gp'),
  silent('DV', picture('720x576'), '-c:v', 'dvvideo', '-pix_fmt', 'yuv420p', 'clip.dv'),
  silent('GIF', picture(), 'clip.gif'),
  silent('GIF of one picture', picture(), '-frames:v', '1', 'one.gif'),
]

function noise(count: number): Uint8Array {
  const roll = dice(7)
  return Uint8Array.from({ length: count }, () => Math.floor(roll() * 256))
}

const noVideos: Input[] = [
  { what: 'APNG', ends: 'invalid_media', make: (kit) => kit.ffmpeg(...picture(), '-f', 'apng', 'clip.apng') },
  {
    what: 'PNG',
    ends: 'invalid_media',
    make: (kit) => kit.ffmpeg(...picture(), '-frames:v', '1', 'one.png'),
  },
  {
    what: 'JPEG',
    ends: 'invalid_media',
    make: (kit) => kit.ffmpeg(...picture(), '-frames:v', '1', 'one.jpg'),
  },
  bytes('nothing', ''),
  bytes('one byte', 'x'),
  bytes('text', 'This is no video, whatever its name.\n'.repeat(100)),
  bytes('HTML', '<!doctype html><title>Not found</title><h1>404</h1>'),
  bytes('JSON', '{"error": "not found"}'),
  bytes('SVG', '<svg xmlns="http://www.w3.org/2000/svg"><rect width="1" height="1"/></svg>'),
  bytes('an HLS playlist', '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsegment.ts\n#EXT-X-ENDLIST\n'),
  bytes('zeros', new Uint8Array(100_000)),
  bytes('noise', noise(100_000)),
  bytes('the head of a ZIP archive', 'PK\u0003\u0004'.padEnd(1000, '\0')),
  bytes('the first box of an MP4', '\0\0\0\u0018ftypmp42\0\0\0\0mp42isom'),
  bytes(
    'an MP4 box of a size beyond all measure',
    '\0\0\0\u0001moov\u007f\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff',
  ),
  bytes('the head of Matroska', '\u001aE\u00df\u00a3'),
]

export const inputs: Input[] = [...pictures, ...times, ...sounds, ...streams, ...containers, ...noVideos]
