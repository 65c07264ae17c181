import { appendFile, chmod } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { abilitiesOf } from '../../../../jobs/video/abilities.ts'
import { probeFfmpeg } from '../../../../worker/ffmpeg-capabilities.ts'
import { testClips, testTools } from '../../../support/clips.ts'

const clips = await testClips()
const care = { signal: new AbortController().signal, stallSeconds: 30, directory: clips.directory }

test('what the worker was told at its start holds for its jobs, until another FFmpeg lies there', async () => {
  const ffmpeg = await clips.write('ffmpeg', `#!/bin/sh\nexec ${JSON.stringify(testTools.ffmpeg)} "$@"\n`)
  await chmod(ffmpeg, 0o755)
  const { known } = await probeFfmpeg({ ...testTools, ffmpeg })
  const { sizeBytes: _sizeBytes, modifiedAtMs: _modifiedAtMs, ...abilities } = known
  expect(abilities.encoders).toEqual(expect.arrayContaining(['libx264', 'aac']))

  const told = { ...known, encoders: ['as told'] }
  expect(await abilitiesOf({ ...testTools, ffmpeg, known: told }, care)).toEqual(told)

  await appendFile(ffmpeg, '# another\n')
  expect(await abilitiesOf({ ...testTools, ffmpeg, known: told }, care)).toEqual(abilities)
})

test('an ffprobe that can not be run is noticed at the start', async () => {
  const ffprobe = await clips.write('ffprobe', '#!/bin/sh\nexit 127\n')
  await chmod(ffprobe, 0o755)
  await expect(probeFfmpeg({ ...testTools, ffprobe })).rejects.toThrow(
    `${ffprobe} -hide_banner -version ended with status 127`,
  )
})
