/** Scheduler processes over a test database. */
import { afterAll } from 'vitest'
import { ChildProcess } from '../../scripts/child-process.ts'
import { nodeBinary } from './node.ts'
import { build } from './runtimes.ts'

export interface TestSchedulers {
  /** Those that were started, dead ones too. */
  all: ChildProcess[]
  start(environment?: Record<string, string>): Promise<ChildProcess>
  /** One pass of `scheduler tick`. @returns its exit status and what it wrote */
  tick(environment?: Record<string, string>): Promise<{ status: number; output: string }>
  /** One call of the function handler, as it is built for AWS Lambda, on Node where that is at hand. @returns its answer */
  callFunction(): Promise<unknown>
}

/** @param environment on top of what they need */
export function testSchedulers(
  databaseUrl: string,
  environment: Record<string, string> = {},
): TestSchedulers {
  const all: ChildProcess[] = []
  const common = {
    PATH: process.env.PATH,
    DATABASE_URL: databaseUrl,
    // Nothing in these databases has bytes in storage.
    S3_BUCKET: 'unused',
    ...environment,
  }
  const open = (extra: Record<string, string>, args: string[] = []) => {
    const name = `scheduler-${all.length + 1}`
    const child = new ChildProcess({
      name,
      entry: 'scheduler/main.ts',
      arguments: args,
      environment: { ...common, WORKER_ID: name, ...extra },
    })
    all.push(child)
    return child
  }
  afterAll(async () => {
    for (const child of all) child.signal('SIGCONT')
    await Promise.all(all.map((child) => child.stop(60)))
  })
  return {
    all,
    start: async (extra = {}) => {
      const child = open(extra)
      await child.ready
      return child
    },
    tick: async (extra = {}) => {
      const child = open(extra, ['tick'])
      const status = await child.exited
      return { status, output: child.lastLines }
    },
    callFunction: async () => {
      const file = await build('scheduler')
      const code = `const { handler } = await import(${JSON.stringify(file)})
console.log('answer', JSON.stringify(await handler()))`
      const command = nodeBinary() ?? process.execPath
      const child = Bun.spawn([command, '--input-type=module', '-e', code], { env: common, stdin: 'ignore' })
      const output = await new Response(child.stdout).text()
      const [, answer] = /^answer (.*)$/m.exec(output) ?? []
      if ((await child.exited) !== 0 || answer === undefined) throw new Error(`no answer:\n${output}`)
      return JSON.parse(answer)
    },
  }
}
