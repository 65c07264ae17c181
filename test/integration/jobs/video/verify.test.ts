import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { testClips, testTools } from '../../../support/clips.ts'
import { encodeHere } from '../../../support/encode-here.ts'

const clips = await testClips()

/** An ffprobe that does not see the last picture of an output. */
async function shortSighted(): Promise<string> {
  const path = join(clips.directory, 'ffprobe-short')
  const script = `#!/bin/sh
case "$*" in
*packet=*encoded/*|*packet=*finished/*) '${testTools.ffprobe}' "$@" | sed '$d' ;;
*) exec '${testTools.ffprobe}' "$@" ;;
esac
`
  await writeFile(path, script)
  await chmod(path, 0o755)
  return path
}

test.each([
  { what: 'a file', request: { quality: '720p' } },
  { what: 'a stream', request: { outputs: [{ format: 'hls', height: 120 }] } },
])('$what that lacks a picture fails the job, though it may be stored by then', async ({ request }) => {
  const bytes = await readFile(await clips.make({ name: 'clip.mp4', seconds: 1 }))
  const tools = { ...testTools, ffprobe: await shortSighted() }
  const { outcome, progress } = await encodeHere(bytes, {}, { request, tools })
  expect(outcome).toMatchObject({ kind: 'failed', errorCode: 'output_invalid', retry: true })
  expect(progress.map(({ phase }) => phase)).not.toContain('publishing')
})
