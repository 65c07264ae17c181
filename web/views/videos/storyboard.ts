/** Reads a storyboard (WebVTT with a part of a sheet of pictures for each time). */

export interface Frame {
  fromSeconds: number
  toSeconds: number
  /** Of the sheet. */
  url: string
  x: number
  y: number
  width: number
  height: number
}

const time = String.raw`(?:(\d+):)?(\d{2}):(\d{2}\.\d{3})`
const cue = new RegExp(`^${time} --> ${time}.*\n(\\S+)#xywh=(\\d+),(\\d+),(\\d+),(\\d+)`, 'gm')

/** @returns its pictures in the order of their times; what says nothing of a picture is passed over */
export function readStoryboard(vtt: string): Frame[] {
  return [...vtt.replaceAll('\r\n', '\n').matchAll(cue)].map((match) => {
    const [fromHours, fromMinutes, fromSeconds, toHours, toMinutes, toSeconds, url, ...area] = match.slice(1)
    const [x = 0, y = 0, width = 0, height = 0] = area.map(Number)
    return {
      fromSeconds: seconds(fromHours, fromMinutes, fromSeconds),
      toSeconds: seconds(toHours, toMinutes, toSeconds),
      url: String(url),
      ...{ x, y, width, height },
    }
  })
}

function seconds(hours = '0', minutes = '0', rest = '0'): number {
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(rest)
}

/** The one that is shown at a time; -1 when there is none yet. */
export function frameAt(frames: Frame[], atSeconds: number): number {
  return frames.findLastIndex(({ fromSeconds }) => fromSeconds <= atSeconds)
}
