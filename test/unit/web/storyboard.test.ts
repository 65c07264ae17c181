import { expect, test } from 'vitest'
import { frameAt, readStoryboard } from '../../../web/views/videos/storyboard.ts'

const vtt = `WEBVTT

00:00.000 --> 00:02.500
http://127.0.0.1:9000/media/storyboard-1.jpg?X-Amz-Signature=a#xywh=0,0,160,90

1:00:02.500 --> 1:00:05.000
http://127.0.0.1:9000/media/storyboard-1.jpg?X-Amz-Signature=a#xywh=160,90,160,90

01:10.000 --> 01:20.000
words that are no picture
`

test('each cue is a part of a sheet, for its time', () => {
  const url = 'http://127.0.0.1:9000/media/storyboard-1.jpg?X-Amz-Signature=a'
  const expected = [
    { fromSeconds: 0, toSeconds: 2.5, url, x: 0, y: 0, width: 160, height: 90 },
    { fromSeconds: 3602.5, toSeconds: 3605, url, x: 160, y: 90, width: 160, height: 90 },
  ]
  expect(readStoryboard(vtt)).toEqual(expected)
  expect(readStoryboard(vtt.replaceAll('\n', '\r\n'))).toEqual(expected)
  expect(readStoryboard('')).toEqual([])
})

test.each([
  [0, 0],
  [2.49, 0],
  [3602.5, 1],
  [9999, 1],
])('at %s s picture %s is shown', (atSeconds, index) => {
  expect(frameAt(readStoryboard(vtt), atSeconds)).toBe(index)
})

test('of no pictures none is shown', () => {
  expect(frameAt([], 5)).toBe(-1)
})
