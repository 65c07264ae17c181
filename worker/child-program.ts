/**
 * The program that job processes run: child.ts and zod in one file with bytecode, made when the worker starts (some
 * 0.1 s). From sources every job process would read and compile a hundred files, which costs two thirds of what it
 * takes to start one (measured: 52 ms of CPU for an empty job from sources, 17 ms this way, 4 ms for an empty Bun
 * process). Where it can't be made, the sources do.
 */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BunPlugin } from 'bun'
import type { Log } from '../core/log.ts'
import { Scratch } from './scratch.ts'

const source = fileURLToPath(new URL('./child.ts', import.meta.url))
const warmUp = fileURLToPath(new URL('./child-warm-up.ts', import.meta.url))

export class ChildProgram {
  readonly #place: Scratch
  #command = [source, warmUp]
  #hasPlace = false

  /** @param root where directories of coordinators are made */
  constructor(
    root: string | undefined,
    private readonly log: Log,
  ) {
    this.#place = new Scratch(root, 'job-server-program')
  }

  get directory(): string {
    return this.#place.directory
  }

  /** For `bun`: the file, and the arguments it wants. */
  get command(): readonly string[] {
    return this.#command
  }

  async start(): Promise<void> {
    try {
      await this.#place.start()
      this.#hasPlace = true
      const zod = Bun.resolveSync('zod', dirname(source))
      await Bun.build({
        entrypoints: [source],
        outdir: this.directory,
        target: 'bun',
        format: 'cjs',
        bytecode: true,
        plugins: [localesOnDemand(zod)],
      })
      this.#command = [join(this.directory, 'child.js'), warmUp, zod]
    } catch (error) {
      this.log.warn({ err: error }, 'child_program.not_built')
    }
  }

  async stop(): Promise<void> {
    this.#command = [source, warmUp]
    if (this.#hasPlace) await this.#place.stop()
    this.#hasPlace = false
  }
}

/**
 * zod's messages in sixty languages are a third of it. They stay where they are, each read when a job asks for it.
 * @param zod the file that `zod` resolves to
 */
function localesOnDemand(zod: string): BunPlugin {
  const directory = join(dirname(zod), 'v4/locales')
  return {
    name: 'locales on demand',
    setup(build) {
      build.onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, async ({ path }) => {
        const index = await Bun.file(path).text()
        const names = [...index.matchAll(/^export \{ default as (\w+) \} from "\.\/([\w-]+\.js)"/gm)]
        const functions = names.map(([, name, file]) => {
          // Put together when it is called, or the file would be taken into the bundle.
          return `export const ${name} = () => require([${JSON.stringify(directory)}, ${JSON.stringify(file)}].join('/')).default()`
        })
        return { contents: functions.join('\n'), loader: 'js' }
      })
    },
  }
}
