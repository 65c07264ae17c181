import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { containerMemory } from '../../../worker/container-memory.ts'
import { LimitWatch } from '../../../worker/limits.ts'
import { ProcessTree } from '../../../worker/process-tree.ts'
import { until } from '../../support/until.ts'

const memoryLimitMb = 400

/** Waits for a line, then fills as much as the limit; itself, or in a process that it makes for it. */
const hoard = `const kept = Buffer.alloc(${memoryLimitMb} * 1024 ** 2, 1); setTimeout(() => kept, 600_000)`
const programs = {
  itself: `for await (const _line of console) { ${hoard} }`,
  'a process it makes later': `for await (const _line of console) Bun.spawn([process.execPath, '-e', ${JSON.stringify(hoard)}])`,
}

test.each(Object.entries(programs))(
  'memory that a job fills after many looks is seen: %s',
  async (_who, program) => {
    const root = Bun.spawn([process.execPath, '-e', program], {
      detached: true,
      stdin: 'pipe',
      env: { PATH: process.env.PATH },
    })
    const tree = ProcessTree.of(root.pid, 'limits')
    const exceeded = Promise.withResolvers<string>()
    const watch = new LimitWatch(pino({ level: 'silent' })).watch({
      tree,
      scratchDirectory: tmpdir(),
      limits: { memoryLimitMb, scratchLimitMb: Number.MAX_SAFE_INTEGER },
      exceeded: exceeded.resolve,
    })
    try {
      await until('a look at its memory', () => watch.peakMemoryBytes > 0)
      // Some looks more, at what is there already.
      await Bun.sleep(1000)
      expect(watch.peakMemoryBytes).toBeLessThan(memoryLimitMb * 1024 ** 2)
      root.stdin.write('\n')
      root.stdin.flush()
      expect(await exceeded.promise).toBe('out_of_memory')
      expect(watch.peakMemoryBytes).toBeGreaterThan(memoryLimitMb * 1024 ** 2)
    } finally {
      watch.stop()
      tree.killGroup()
      await root.exited
      expect(await tree.end()).toBe(true)
    }
  },
)

/** Files of the kernel about a control group; version 1 has them in a directory of its own. */
async function controlGroup(version: 1 | 2, limit: string) {
  const root = await mkdtemp(join(tmpdir(), 'job-server-cgroup-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  const directory = version === 1 ? join(root, 'memory') : root
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, version === 1 ? 'memory.limit_in_bytes' : 'memory.max'), `${limit}\n`)
  const [own, shared] = version === 1 ? (['total_rss', 'total_shmem'] as const) : (['anon', 'shmem'] as const)
  return {
    root,
    /** Of which a little is shared. Cached files are many, and don't count. */
    use: (mebibytes: number) => {
      const lines = Object.entries({ [own]: mebibytes - 16, inactive_file: 10_000, [shared]: 16 })
      const text = lines.map(([name, count]) => `${name} ${count * 1024 ** 2}\n`).join('')
      return writeFile(join(directory, 'memory.stat'), text)
    },
  }
}

test.each([
  { version: 1, none: '9223372036854771712' },
  { version: 2, none: 'max' },
] as const)(
  'a container has the limit that its control group has: version $version',
  async ({ version, none }) => {
    const limited = await controlGroup(version, String(1000 * 1024 ** 2))
    await limited.use(400)
    const memory = containerMemory(limited.root)
    expect(memory?.limitBytes).toBe(1000 * 1024 ** 2)
    expect(memory?.usedBytes()).toBe(400 * 1024 ** 2)
    expect(containerMemory((await controlGroup(version, none)).root)).toBeNull()
  },
)

test('when the memory of the container runs out, the largest attempt is ended, and none where others have it', async () => {
  const group = await controlGroup(2, String(1000 * 1024 ** 2))
  await group.use(500)
  const limits = new LimitWatch(pino({ level: 'silent' }), containerMemory(group.root))
  const ended: string[] = []
  const attempts = [0, 200].map((mebibytes) => {
    const program = `const kept = Buffer.alloc(${mebibytes} * 1024 ** 2, 1); setTimeout(() => kept, 600_000)`
    const root = Bun.spawn([process.execPath, '-e', program], {
      detached: true,
      env: { PATH: process.env.PATH },
    })
    const tree = ProcessTree.of(root.pid, 'limits')
    const watch = limits.watch({
      tree,
      scratchDirectory: tmpdir(),
      limits: { memoryLimitMb, scratchLimitMb: Number.MAX_SAFE_INTEGER },
      exceeded: (limit) => ended.push(`${mebibytes} ${limit}`),
    })
    onTestFinished(async () => {
      watch.stop()
      tree.killGroup()
      await root.exited
    })
    return { mebibytes, watch }
  })
  await until('a look at all memory', () =>
    attempts.every(({ mebibytes, watch }) => watch.peakMemoryBytes > mebibytes * 1024 ** 2),
  )
  const someLooks = () => Bun.sleep(600)
  await group.use(5000)
  await someLooks()
  expect(ended).toEqual([])
  await group.use(950)
  await until('one to be ended', () => ended.length > 0)
  // It has it still.
  await someLooks()
  expect(new Set(ended)).toEqual(new Set(['200 container_full']))
})
