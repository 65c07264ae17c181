/**
 * The graph of filters from the one decoded source to the pictures of every target: what all have in common is done
 * once, to the largest size, then each target has a branch of its own.
 *
 *   source ─ deinterlace ─ scale to the largest ─┬─ frame rate ─ scale ─► first target
 *                                                └─ frame rate ─ scale ─► second target
 */
import type { EncodePlan, Fraction, VideoPlan } from './plan.ts'

/** @returns the graph for `-filter_complex`; its outputs are labelled `v0`, `v1`, … in the order of `videos` */
export function filterGraph(
  { videoStream, deinterlace }: Pick<EncodePlan, 'videoStream' | 'deinterlace'>,
  videos: VideoPlan[],
): string {
  const [largest] = videos.toSorted((a, b) => b.width * b.height - a.width * a.height)
  if (largest === undefined) return ''
  const common = [
    ...(deinterlace ? ['yadif=deint=interlaced'] : []),
    scaleTo(largest),
    'setsar=1', // the scaled picture has square pixels; a ratio left over would stretch it again
    'format=yuv420p', // what every player decodes; 4:2:2 or 10 bits play in few
  ]
  const branches = videos.map((video, index) => {
    const isLargest = video.width === largest.width && video.height === largest.height
    const own = [
      ...(video.frameRate === null ? [] : [constantRate(video.frameRate)]),
      ...(isLargest ? [] : [scaleTo(video), 'setsar=1']),
    ]
    return `[s${index}]${own.length === 0 ? 'null' : own.join(',')}[v${index}]`
  })
  const split = `split=${videos.length}${videos.map((_, index) => `[s${index}]`).join('')}`
  return [`[0:${videoStream}]${[...common, split].join(',')}`, ...branches].join(';')
}

function scaleTo({ width, height }: { width: number; height: number }): string {
  return `scale=${width}:${height}`
}

/** From time zero on, so that streams that are muxed apart from each other begin together. */
function constantRate({ num, den }: Fraction): string {
  return `fps=fps=${num}/${den}:start_time=0`
}
