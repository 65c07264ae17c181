/**
 * The graph of filters from the one decoded source to the pictures of every target: what all have in common is done
 * once, to the largest size, then each target has a branch of its own.
 *
 *   source ─ deinterlace ─ scale to the largest ─ tone map ─ watermark ─┬─ frame rate ─ scale ─► first target
 *                                                                       └─ frame rate ─ scale ─► second target
 *
 * To tone map takes longest by far, and by the pixel: it comes after scaling.
 */
import type { PicturePlan, VideoPlan } from './plan.ts'
import { type Piece, pieceFilters, untilNearFilters } from './segments/piece.ts'
import { fromZero, type Trim, trimPicture } from './trim.ts'

/** What of the source is encoded: a part that was asked for, or a piece of it all. */
export interface Range {
  trim: Trim | null
  piece: Piece | null
}

/**
 * @param picture its watermark, if any, is the second input, as `prepareWatermark` made it
 * @returns the graph for `-filter_complex`; its outputs are labelled `v0`, `v1`, … in the order of `videos`
 */
export function filterGraph(picture: PicturePlan, videos: VideoPlan[], { trim, piece }: Range): string {
  const largest = largestOf(videos)
  if (largest === undefined) return ''
  const { videoStream, deinterlace, hdr, watermark } = picture
  const common = [
    ...(piece === null ? trimPicture(trim) : untilNearFilters(piece)),
    ...(deinterlace ? ['yadif=deint=interlaced'] : []),
    ...scaleFirst(largest, picture),
    ...(hdr === null ? [] : toneMapping(hdr)),
    'setsar=1', // the scaled picture has square pixels; a ratio left over would stretch it again
    'format=yuv420p', // what every player decodes; 4:2:2 or 10 bits play in few
  ].join(',')
  const split = `split=${videos.length}${videos.map((_, index) => `[s${index}]`).join('')}`
  const source =
    watermark === null
      ? `[0:${videoStream}]${common},${split}`
      : `[0:${videoStream}]${common}[base];[base][1:0]${overlay(watermark, largest.width)},format=yuv420p,${split}`
  const branches = videos.map((video, index) => {
    const isLargest = video.width === largest.width && video.height === largest.height
    const inTime = piece === null ? fromZero(trim, video.frameRate) : pieceFilters(piece, video.frameRate)
    const own = [...inTime, ...(isLargest ? [] : [scaleTo(video), 'setsar=1'])]
    return `[s${index}]${own.length === 0 ? 'null' : own.join(',')}[v${index}]`
  })
  return [source, ...branches].join(';')
}

export function largestOf(videos: VideoPlan[]): VideoPlan | undefined {
  return videos.toSorted((a, b) => b.width * b.height - a.width * a.height)[0]
}

function scaleTo({ width, height }: { width: number; height: number }): string {
  return `scale=${width}:${height}`
}

/** Whatever size comes is fitted into the one that was announced, as scaled, rather than stretched to it. */
function scaleFirst(
  { width, height }: VideoPlan,
  { isRgb, hdr, changingFrom }: Pick<PicturePlan, 'isRgb' | 'hdr' | 'changingFrom'>,
): string[] {
  // Left to itself FFmpeg takes the matrix of SD, and players take HD to have the other.
  const colours = isRgb && hdr === null ? ':out_color_matrix=bt709:out_range=tv' : ''
  if (changingFrom === null) return [`${scaleTo({ width, height })}${colours}`]
  const asAnnounced = `eq(iw,${changingFrom.width})*eq(ih,${changingFrom.height})`
  const fitted = (bound: number, other: string) =>
    `'if(${asAnnounced},${bound},max(2,2*trunc(min(${bound},${other})/2)))'`
  return [
    `scale=w=${fitted(width, `${height}*iw/ih`)}:h=${fitted(height, `${width}*ih/iw`)}:eval=frame${colours}`,
    `pad=${width}:${height}:(ow-iw)/2:(oh-ih)/2:eval=frame`,
  ]
}

/** From HDR to BT.709, in linear light. What the stream does not say is taken for BT.2020, as HDR is. */
function toneMapping(transfer: NonNullable<PicturePlan['hdr']>): string[] {
  return [
    `zscale=tin=${transfer}:pin=bt2020:min=bt2020nc:t=linear:npl=100`,
    'format=gbrpf32le',
    'zscale=p=bt709',
    'tonemap=tonemap=hable:desat=0',
    'zscale=t=bt709:m=bt709:r=tv',
  ]
}

/** The second input has one picture, which stands until the first input ends. */
function overlay({ position, margin }: NonNullable<PicturePlan['watermark']>, width: number): string {
  const gap = Math.round(margin * width)
  const x = position.endsWith('left') ? gap : position.endsWith('right') ? `W-w-${gap}` : '(W-w)/2'
  const y = position.startsWith('top') ? gap : position.startsWith('bottom') ? `H-h-${gap}` : '(H-h)/2'
  return `overlay=x=${x}:y=${y}`
}
