import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { inspect, runFor } from '../../../support/clips.ts'
import { attacks, wholeMovie } from '../../../support/corpus/attacks.ts'
import { withKit } from '../../../support/corpus/inputs.ts'
import { encodeHere } from '../../../support/encode-here.ts'

const root = await mkdtemp(join(inject('backend').directory, 'attacks-'))
let connections = 0
const sockets = new Set<Socket>()
const listener = createServer((socket) => {
  connections++
  sockets.add(socket)
  socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
})
await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', () => resolve()))
const address = listener.address()
const port = typeof address === 'object' ? address?.port : undefined
/** A video of another job: encoded by whom it is given to. */
const secret = join(root, 'secret.ts')

beforeAll(async () => {
  const red = ['-f', 'lavfi', '-i', 'color=red:size=96x64:rate=25:duration=2']
  await runFor(root, ['-v', 'error', ...red, '-c:v', 'mpeg2video', secret])
})
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => listener.close(resolve))
  await rm(root, { recursive: true, force: true })
})

const server = `http://127.0.0.1:${port}/secret.ts`
const playlists = attacks.filter(({ what }) =>
  /^(an HLS playlist|a concat script|a DASH manifest)$/.test(what),
)
const targets = [
  { what: 'a video of the machine', target: `file://${secret}`, by: attacks },
  { what: 'a server of the machine', target: server, by: attacks },
  { what: '/etc/passwd', target: 'file:///etc/passwd', by: playlists },
  {
    what: 'the metadata service of a cloud',
    target: 'http://169.254.169.254/latest/meta-data/',
    by: playlists,
  },
]

describe.each(targets)('naming $what', ({ target, by }) => {
  test.each(by)('$what reaches nothing', async ({ ends, make }) => {
    connections = 0
    const bytes = Buffer.from(await withKit(root, (kit) => make(target, kit)))
    const { outcome, objects } = await encodeHere(bytes)
    expect(connections).toBe(0)
    if (ends === 'invalid_media') {
      expect(outcome).toMatchObject({ kind: 'failed', errorCode: 'invalid_media', retry: false })
      expect(JSON.stringify(outcome)).not.toContain('root:')
      expect([...objects.keys()]).toEqual([])
    } else {
      const [output] = [...objects]
        .filter(([key]) => key.startsWith('outputs/'))
        .map(([, content]) => content)
      if (output === undefined) throw new Error(JSON.stringify(outcome))
      const path = join(root, 'output.mp4')
      await Bun.write(path, output)
      expect((await inspect(path)).video.frameCount, 'its own pictures').toBe(10)
      expect(Buffer.from(output).includes('root:')).toBe(false)
    }
  })
})

describe('an FFmpeg without our bounds', () => {
  const open = ['-v', 'error', '-protocol_whitelist', 'file,http,tcp,crypto,data,concat,subfile']
  const attack = (what: string) => attacks.find((each) => each.what === what) ?? attacks[0]
  const run = async (what: string, target: string, ...options: string[]) => {
    const content = await withKit(root, async (kit) => (await attack(what)?.make(target, kit)) ?? '')
    const input = join(root, 'attack')
    await Bun.write(input, content)
    await runFor(root, [...open, ...options, '-i', input, '-frames:v', '1', '-f', 'null', '-'])
  }

  test.each([
    { what: 'an HLS playlist', options: ['-allowed_extensions', 'ALL'] },
    { what: 'a concat script', options: ['-safe', '0'] },
  ])('is taken in by $what', async ({ what, options }) => {
    await expect(run(what, secret, ...options), 'another video').resolves.toBeUndefined()
    connections = 0
    await run(what, server, ...options).catch(() => {})
    expect(connections).toBeGreaterThan(0)
  })

  test('is taken in by a QuickTime file whose samples lie in another file', async () => {
    const what = 'a QuickTime file whose samples lie in another file'
    const samples = join(root, 'samples.mov')
    await Bun.write(samples, await withKit(root, wholeMovie))
    await expect(run(what, samples, '-enable_drefs', '1', '-use_absolute_path', '1')).resolves.toBeUndefined()
  })
})
