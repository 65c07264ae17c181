/** `bun run dev`: the whole stack until Ctrl-C. */
import { prettyFactory } from 'pino-pretty'
import { ConfigError, EX_CONFIG } from '../core/config.ts'
import { readStackInfo, StackIsRunning, startStack } from './stack.ts'

const colours = { api: 36, worker: 35, scheduler: 33 } as Record<string, number>
const pretty = prettyFactory({
  colorize: process.stdout.isTTY,
  ignore: 'name,workerId',
  translateTime: 'SYS:HH:MM:ss',
  singleLine: true,
})

let stop: () => void = () => {}
const stopped = new Promise<void>((resolve) => {
  stop = resolve
})
let signals = 0
let hurry: () => void = () => {}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    signals++
    if (signals > 1) hurry()
    else {
      console.log('\nStopping; running jobs go back to the queue. Once more to hurry.')
      stop()
    }
  })
}

try {
  const stack = await startStack({
    environment: process.env,
    onStep: (step) => console.log(`… ${step}`),
    onLine: (name, line) => console.log(`${label(name)} ${readable(line)}`),
  })
  hurry = stack.hurry
  const { apiUrl, s3Endpoint, bucket, databaseUrl } = stack.info
  console.log(
    [
      '',
      'Job Server is up.',
      `  dashboard   ${apiUrl}/`,
      `  API         ${apiUrl}`,
      `  storage     ${s3Endpoint}, bucket ${bucket}`,
      `  database    ${databaseUrl}`,
      '  encode one  bun run demo [file], in another terminal',
      '  stop        Ctrl-C',
      '',
    ].join('\n'),
  )
  try {
    await Promise.race([stopped, stack.broken])
  } finally {
    await stack.stop()
  }
  console.log('Stopped.')
  process.exit(0)
} catch (error) {
  if (error instanceof StackIsRunning) {
    const info = await readStackInfo()
    console.error(
      error.message + (info === null ? '' : ` Its API is ${info.apiUrl}, its process ${info.pid}.`),
    )
  } else console.error(error instanceof Error ? error.message : error)
  process.exit(error instanceof ConfigError ? EX_CONFIG : 1)
}

function label(name: string): string {
  const text = name.padEnd(9)
  return process.stdout.isTTY ? `\x1b[${colours[name] ?? 37}m${text}\x1b[0m` : text
}

/** Log lines of our processes are JSON; what else they print stays as it is. */
function readable(line: string): string {
  return line.startsWith('{') ? pretty(line).trimEnd() : line
}
