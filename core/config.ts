/**
 * The one schema of the environment. `parseConfig` is pure: it gives the whole configuration or every
 * problem at once. The table in README is printed from the same fields (`scripts/print-config.ts`).
 */
import { z } from 'zod'
import { isAllowable } from './addresses.ts'
import { defaultJobLimits } from './job-limits.ts'
import { samplerNames } from './trace/sampler.ts'
import { isSecret } from './webhooks/signature.ts'

/** Exit status of a start that a wrong configuration stopped: EX_CONFIG of sysexits.h. */
export const EX_CONFIG = 78

const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^-?\d+$/, `expected an integer from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `expected an integer from ${min} to ${max}`)
const boolean = z.enum(['true', 'false'], 'expected true or false').transform((value) => value === 'true')
const url = (protocols: string[]) =>
  z.string().refine(
    (value) => {
      const parsed = URL.parse(value)
      return parsed !== null && protocols.includes(parsed.protocol) && parsed.hostname !== ''
    },
    `expected ${protocols[0] === 'http:' ? 'an' : 'a'} ${protocols.map((protocol) => `${protocol}//`).join(' or ')} URL`,
  )
const text = z.string().min(1, 'expected text')
const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean),
)
const hostList = list.refine(
  (entries) => entries.every(isAllowable),
  'expected host names, addresses or ranges such as 10.0.0.0/8',
)
const secondsList = list
  .refine(
    (entries) => entries.every((entry) => /^\d{1,7}(\.\d+)?$/.test(entry)) && entries.length <= 100,
    'expected at most 100 numbers of seconds',
  )
  .transform((entries) => entries.map(Number))
/** Of the variables that jobs get: what gives away the database or the storage may not be among them. */
const variableNames = list.superRefine((names, context) => {
  if (!names.every((name) => /^[a-z_]\w*$/i.test(name)))
    context.addIssue('expected names of environment variables, separated by commas')
  const ours = names.filter(isOurs)
  if (ours.length > 0)
    context.addIssue(`expected names other than ${ours.join(' and ')}, which Job Server itself reads`)
})
/** As W3C Baggage writes them, and so OpenTelemetry; values may be percent-encoded. */
const namedValues = z.string().transform((value, context) => {
  const items = value.split(',').map((item) => item.trim())
  const pairs = items.filter(Boolean).map((item) => {
    const [, name, text = ''] = /^([\w!#$%&'*+.^`|~-]+) *= *([\x20-\x7e]*)$/.exec(item) ?? []
    return [name, percentDecoded(text)] as const
  })
  if (pairs.every((pair): pair is readonly [string, string] => !pair.includes(undefined))) {
    return Object.fromEntries(pairs)
  }
  context.addIssue('expected name=value, and more of them after commas')
  return z.NEVER
})

function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

interface Field<Output> {
  schema: z.ZodType<Output, string>
  /** As it would stand in the environment; undefined: the field is required; null: optional. */
  default?: string | null
  about: string
  secret?: true
}
function field<Output>(definition: Field<Output> & { default: null }): Field<Output | undefined>
function field<Output>(definition: Field<Output>): Field<Output>
function field<Output>(definition: Field<Output>): Field<Output | undefined> {
  return definition
}

export const configFields = {
  DATABASE_URL: field({
    schema: url(['postgres:', 'postgresql:']),
    secret: true,
    about: 'PostgreSQL 14 or newer. May be a pooler in transaction mode.',
  }),
  DATABASE_LISTEN_URL: field({
    schema: url(['postgres:', 'postgresql:']),
    default: null,
    secret: true,
    about:
      'A direct connection for LISTEN when DATABASE_URL is a pooler. Without it the pooler URL is tried, and polling does the work.',
  }),
  DATABASE_AUTH: field({
    schema: z.enum(['password', 'iam'], 'expected password or iam'),
    default: 'password',
    about:
      'password: the one in DATABASE_URL. iam: a token of AWS IAM for the user in it, made for each connection; wants TLS.',
  }),
  DATABASE_PREPARE: field({
    schema: z.enum(['auto', 'off'], 'expected auto or off'),
    default: 'auto',
    about:
      'auto: where DATABASE_URL leads to PostgreSQL itself, which is found out, the API and workers prepare their statements once for each connection, which makes small ones cheaper by half. off: never.',
  }),
  DATABASE_POOL_SIZE: field({
    schema: integer(1, 100),
    default: '4',
    about: 'Connections of one process, at most.',
  }),
  HOST: field({
    schema: text,
    default: '127.0.0.1',
    about: 'Address the API listens on. Any other than loopback needs an API key, or AUTH=none.',
  }),
  PORT: field({
    schema: integer(0, 65535),
    default: '3000',
    about: 'Port the API listens on; 0 takes a free one.',
  }),
  AUTH: field({
    schema: z.enum(['keys', 'none'], 'expected keys or none'),
    default: 'keys',
    about:
      'keys: callers show an API key; until the first one is made, the API serves this machine only. none: open to all who reach it.',
  }),
  ALLOWED_HOSTS: field({
    schema: list,
    default: '',
    about:
      'Names by which callers without a key may speak to the API, separated by commas; by another, which its owner may have pointed here, a page in a browser would. Default: with AUTH=none all names, otherwise those of this machine.',
  }),
  RATE_LIMIT_PER_SECOND: field({
    schema: integer(0, 1_000_000),
    default: '100',
    about:
      'Requests a second that one key, or without keys one address, may send to one API process; 0: no limit. Who calls without a key from this machine has none.',
  }),
  RATE_LIMIT_BURST: field({
    schema: integer(1, 1_000_000),
    default: '500',
    about: 'Requests that may come at once before that rate counts.',
  }),
  TRUSTED_PROXIES: field({
    schema: integer(0, 10),
    default: '0',
    about:
      'Proxies before the API that add to X-Forwarded-For; the address of a caller is read that many entries from its end. With any, the API needs an API key, or AUTH=none.',
  }),
  MAX_OPEN_STREAMS: field({
    schema: integer(0, 1_000_000),
    default: '100',
    about:
      'Event streams that one key, or without keys one address, may have open at one API process; 0: no limit. Who calls without a key from this machine has none.',
  }),
  MAX_OPEN_WAITS: field({
    schema: integer(0, 1_000_000),
    default: '1000',
    about: 'The same for requests that wait for a job to finish.',
  }),
  CORS_ORIGINS: field({
    schema: list,
    default: '',
    about: 'Origins, separated by commas, whose pages may call the API; * for all.',
  }),
  MAX_UPLOAD_BYTES: field({
    schema: integer(1, 5 * 1024 ** 4),
    default: String(defaultJobLimits.video.sizeBytes),
    about: 'Largest video that is taken, in bytes.',
  }),
  STREAM_HEARTBEAT_SECONDS: field({
    schema: integer(1, 240),
    default: '15',
    about: 'Seconds of silence after which an event stream says that it is still there.',
  }),
  PLAYBACK_SECONDS: field({
    schema: integer(60, 604_800),
    default: '21600',
    about: 'Seconds for which the links of playlists and pictures work: longer than a video takes to watch.',
  }),
  S3_ENDPOINT: field({
    schema: url(['http:', 'https:']),
    default: null,
    about: 'Endpoint of the S3-compatible storage; AWS when left out.',
  }),
  S3_PUBLIC_ENDPOINT: field({
    schema: url(['http:', 'https:']),
    default: null,
    about: 'Endpoint in presigned links for clients, when they reach the storage by another name than we do.',
  }),
  S3_REGION: field({ schema: text, default: 'us-east-1', about: 'Region of the bucket.' }),
  S3_BUCKET: field({ schema: text, about: 'Bucket for sources and outputs.' }),
  S3_ACCESS_KEY_ID: field({
    schema: text,
    default: null,
    secret: true,
    about: 'Access key; left out, the AWS default credential chain is asked.',
  }),
  S3_SECRET_ACCESS_KEY: field({
    schema: text,
    default: null,
    secret: true,
    about: 'Secret of the access key.',
  }),
  S3_FORCE_PATH_STYLE: field({
    schema: boolean,
    default: 'false',
    about: 'Bucket in the path instead of the host name: what most servers but AWS want.',
  }),
  WORKER_ID: field({
    schema: z.string().regex(/^[\w.:-]{1,100}$/, 'expected 1 to 100 letters, digits, . _ : or -'),
    default: null,
    about:
      'Name of this worker or scheduler, and of no other; made up from host name and process id when left out.',
  }),
  MAX_CONCURRENT_EXECUTIONS: field({
    schema: integer(1, 1000),
    default: '4',
    about: 'Jobs that one worker runs at once.',
  }),
  STANDBY_PROCESSES: field({
    schema: integer(0, 100),
    default: '1',
    about: 'Job processes a worker spawns ahead.',
  }),
  QUEUES: field({
    schema: list,
    default: '',
    about: 'Queues this worker takes jobs from, separated by commas; all when empty.',
  }),
  LEASE_DURATION_SECONDS: field({
    schema: integer(2, 3600),
    default: '15',
    about: 'Seconds after which the jobs of a silent worker go to another. Renewed three times in that span.',
  }),
  POLL_INTERVAL_SECONDS: field({
    schema: integer(1, 300),
    default: '5',
    about: 'Seconds between looks for work when no notification comes.',
  }),
  SHUTDOWN_GRACE_SECONDS: field({
    schema: integer(0, 86400),
    default: '30',
    about: 'Seconds that running jobs have to end after SIGTERM before they go back to the queue.',
  }),
  CANCEL_GRACE_SECONDS: field({
    schema: z
      .string()
      .regex(/^\d+(\.\d+)?$/, 'expected a number of seconds')
      .transform(Number),
    default: '0.5',
    about: 'Seconds between the abort signal in a job and SIGKILL to its process group.',
  }),
  SCRATCH_DIRECTORY: field({
    schema: text,
    default: null,
    about: "Where jobs' scratch directories are made; the system's temporary directory when left out.",
  }),
  JOBS_DIR: field({
    schema: text,
    default: null,
    about: 'A directory of your own job files, beside the built-in ones.',
  }),
  WATCH_JOBS: field({
    schema: boolean,
    default: 'false',
    about: 'Pick up new, changed and deleted job files while running.',
  }),
  JOB_ENVIRONMENT: field({
    schema: variableNames,
    default: '',
    // Who takes it for a list of name=value has written values here.
    secret: true,
    about:
      "Names of variables of the worker's environment, separated by commas, that job files and hooks see too; they see no others but PATH and the like. None of our own can be among them.",
  }),
  FFMPEG_PATH: field({
    schema: text,
    default: null,
    about: 'The ffmpeg binary; found by itself when left out.',
  }),
  FFPROBE_PATH: field({
    schema: text,
    default: null,
    about: 'The ffprobe binary; found by itself when left out.',
  }),
  STALL_SECONDS: field({
    schema: integer(1, 86_400),
    default: String(defaultJobLimits.stallSeconds),
    about:
      'Seconds without progress of FFmpeg, or without a byte from or to the storage, after which an attempt ends as stalled.',
  }),
  JOB_ALLOWED_HOSTS: field({
    schema: hostList,
    default: '',
    about:
      'Names, addresses and ranges, separated by commas, that URLs in the parameters of jobs (sources of videos, call.api) may reach though they are not public.',
  }),
  VIDEO_MAX_SECONDS: field({
    schema: integer(1, 31_536_000),
    default: String(defaultJobLimits.video.durationSeconds),
    about: 'Longest video that is encoded, in seconds.',
  }),
  VIDEO_MAX_PIXELS: field({
    schema: integer(1, 268_435_456),
    default: String(defaultJobLimits.video.pixels),
    about: 'Largest picture that is encoded, width by height.',
  }),
  VIDEO_MAX_FRAME_RATE: field({
    schema: integer(1, 100_000),
    default: String(defaultJobLimits.video.frameRate),
    about: 'Pictures a second that a video may have on average.',
  }),
  VIDEO_MAX_STREAMS: field({
    schema: integer(1, 1000),
    default: String(defaultJobLimits.video.streams),
    about: 'Streams of any kind that a video may have.',
  }),
  VIDEO_MAX_GIGAPIXELS: field({
    schema: integer(1, 1_000_000_000),
    default: String(defaultJobLimits.video.gigapixels),
    about: 'All pictures of a video together, in 10^9 pixels: what bounds the work.',
  }),
  VIDEO_MAX_PIXELS_PER_BYTE: field({
    schema: integer(1, 1_000_000_000),
    default: String(defaultJobLimits.video.pixelsPerByte),
    about:
      'How far a video of more than 400 gigapixels may unfold. Recordings of a still screen reach 5,000; what is far beyond was made to keep us busy.',
  }),
  VIDEO_MAX_OUTPUT_BYTES: field({
    schema: integer(1, 5 * 1024 ** 4),
    default: String(defaultJobLimits.video.outputBytes),
    about: 'What FFmpeg may write for one video, in bytes, all outputs together.',
  }),
  IDEMPOTENCY_TTL_SECONDS: field({
    schema: integer(60, 31_536_000),
    default: '86400',
    about: 'Seconds for which an idempotency key meets its first job.',
  }),
  HISTORY_RETENTION_DAYS: field({
    schema: integer(1, 3650),
    default: '30',
    about:
      'Days from their end that finished jobs, their attempts and events are kept; dropped by whole weeks.',
  }),
  DEAD_LETTER_RETENTION_DAYS: field({
    schema: integer(0, 3650),
    default: '0',
    about: 'Days that dead letters are kept, redriven or not; 0: until their job is removed.',
  }),
  SOURCE_RETENTION_DAYS: field({
    schema: integer(0, 3650),
    default: '30',
    about:
      'Days that an upload is kept after the last job that uses it has ended, or after it was completed when none did; 0: until you remove it.',
  }),
  OUTPUT_RETENTION: field({
    schema: z.enum(['history', 'forever'], 'expected history or forever'),
    default: 'history',
    about:
      'history: what a job wrote goes when its history is dropped. forever: it stays until you remove it.',
  }),
  SCHEDULER_LEASE_SECONDS: field({
    schema: integer(1, 3600),
    default: '6',
    about:
      'Seconds after which another scheduler takes over from a silent one. Renewed at least four times in that span.',
  }),
  SCHEDULE_MIN_PERIOD_SECONDS: field({
    schema: z
      .string()
      .regex(/^\d+(\.\d+)?$/, 'expected a number of seconds')
      .transform(Number),
    default: '1',
    about: 'Shortest time between two fires that a schedule of the API may ask for.',
  }),
  WEBHOOK_SECRET: field({
    schema: z.string().refine(isSecret, 'expected whsec_ and the base64 of 24 to 64 bytes'),
    default: null,
    secret: true,
    about:
      'Signs what is sent to the webhookUrl of a job, for API and worker: whsec_ and the base64 of 24 to 64 bytes. Without it no job may bring one.',
  }),
  WEBHOOK_ALLOWED_HOSTS: field({
    schema: hostList,
    default: '',
    about:
      'Names, addresses and ranges, separated by commas, that webhooks may reach though they are not public.',
  }),
  WEBHOOK_RETRY_SECONDS: field({
    schema: secondsList,
    default: '5,300,1800,7200,18000,36000,50400,72000,86400',
    about:
      'Seconds to wait after each failed attempt of a delivery; after the last of them comes one more attempt.',
  }),
  WEBHOOK_TIMEOUT_SECONDS: field({
    schema: integer(1, 60),
    default: '15',
    about: 'Seconds that an endpoint has to answer.',
  }),
  WEBHOOK_DISABLE_AFTER_SECONDS: field({
    schema: integer(1, 31_536_000),
    default: '432000',
    about: 'A webhook is disabled when nothing has succeeded for so many seconds and ten attempts failed.',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: field({
    schema: url(['http:', 'https:']),
    default: null,
    about:
      'Collector that traces are sent to: OTLP over HTTP in JSON, to v1/traces below this URL. Left out: none are recorded.',
  }),
  OTEL_EXPORTER_OTLP_HEADERS: field({
    schema: namedValues,
    default: '',
    secret: true,
    about: 'Headers for it, as name=value, separated by commas.',
  }),
  OTEL_SERVICE_NAME: field({
    schema: text,
    default: null,
    about: 'Name of this program in traces; job-server-api, -worker or -scheduler when left out.',
  }),
  OTEL_RESOURCE_ATTRIBUTES: field({
    schema: namedValues,
    default: '',
    about: 'What else traces say of this program, as name=value, separated by commas.',
  }),
  OTEL_TRACES_SAMPLER: field({
    schema: z.enum(samplerNames, `expected one of ${samplerNames.join(', ')}`),
    default: 'parentbased_always_on',
    about: 'Which traces are recorded. parentbased: as the caller decided, where there is one.',
  }),
  OTEL_TRACES_SAMPLER_ARG: field({
    schema: z
      .string()
      .regex(/^(0(\.\d+)?|1(\.0+)?)$/, 'expected a number from 0 to 1')
      .transform(Number),
    default: '1',
    about: 'The share of traces that samplers by ratio record.',
  }),
  METRICS_NAMESPACE: field({
    schema: z.string().regex(/^[\w./#:-]{1,255}$/, 'expected 1 to 255 letters, digits or . _ - / # :'),
    default: null,
    about:
      'The scheduler logs what scaling and alarms need once a minute, in the format that AWS CloudWatch takes metrics of this namespace from.',
  }),
  LOG_LEVEL: field({
    schema: z.enum(['debug', 'info', 'warn', 'error'], 'expected debug, info, warn or error'),
    default: 'info',
    about: 'Least level that is logged.',
  }),
} satisfies Record<string, Field<unknown>>

type Fields = typeof configFields
export type Config = {
  readonly [Name in keyof Fields]: Fields[Name] extends Field<infer Output> ? Output : never
}
export type ConfigWithoutStorage = Omit<Config, `S3_${string}`>

/** `about`: sentences that say what the field is. */
interface ConfigProblem {
  name: string
  expected: string
  got: string
  about?: string
}

/** Every problem of an environment, one a line: name, expectation, value (secrets masked). */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  constructor(readonly problems: ConfigProblem[]) {
    const width = Math.max(...problems.map((problem) => problem.name.length))
    super(
      problems
        .map(({ name, expected, got, about }) => {
          const problem = `${name.padEnd(width)}  ${expected}, got ${got}`
          return about === undefined ? problem : `${problem}. ${about}`
        })
        .join('\n'),
    )
  }
}

/**
 * @param environment for example `process.env`. Names that are one typo away from a known one are refused.
 * @throws ConfigError with every problem found
 */
export function parseConfig(environment: Record<string, string | undefined>): Config {
  return parse(environment, configFields) as Config
}

/** For programs that never reach for the storage: what leads there is not asked for, and not looked at. */
export function parseConfigWithoutStorage(
  environment: Record<string, string | undefined>,
): ConfigWithoutStorage {
  const fields = Object.entries(configFields).filter(([name]) => !name.startsWith('S3_'))
  return parse(environment, Object.fromEntries(fields)) as ConfigWithoutStorage
}

function parse(
  environment: Record<string, string | undefined>,
  fields: Record<string, Field<unknown>>,
): Record<string, unknown> {
  const problems: ConfigProblem[] = []
  const values: Record<string, unknown> = {}
  for (const [name, definition] of Object.entries(fields)) {
    const given = environment[name]
    const raw = given === undefined || given === '' ? definition.default : given
    if (raw === null) continue
    if (raw === undefined) {
      problems.push({ name, expected: 'required', got: 'nothing', about: definition.about })
      continue
    }
    const parsed = definition.schema.safeParse(raw)
    if (parsed.success) values[name] = parsed.data
    else {
      const got = definition.secret ? 'a value that is not shown' : JSON.stringify(raw)
      problems.push({ name, expected: parsed.error.issues[0]?.message ?? 'expected another value', got })
    }
  }
  for (const name of Object.keys(environment)) {
    const meant =
      name in configFields ? undefined : Object.keys(configFields).find((known) => isOneTypoAway(name, known))
    if (meant !== undefined && environment[meant] === undefined) {
      problems.push({ name, expected: `did you mean ${meant}?`, got: 'a name that is not known' })
    }
  }
  if ((values.S3_ACCESS_KEY_ID === undefined) !== (values.S3_SECRET_ACCESS_KEY === undefined)) {
    const missing = values.S3_ACCESS_KEY_ID === undefined ? 'S3_ACCESS_KEY_ID' : 'S3_SECRET_ACCESS_KEY'
    problems.push({ name: missing, expected: 'required beside its other half', got: 'nothing' })
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return values
}

/** Whether a variable is our configuration, or one of those from which our clients take what the URL does not say. */
function isOurs(name: string): boolean {
  return name in configFields || /^(PG|S3_|AWS_|JOB_SERVER_)/.test(name)
}

/** Whether a host name or address, without brackets, is this machine and no other. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** One letter left out, put in, changed, or two neighbours swapped. */
function isOneTypoAway(name: string, known: string): boolean {
  if (Math.abs(name.length - known.length) > 1 || known.length < 5) return false
  let start = 0
  while (start < name.length && name[start] === known[start]) start++
  const rest = (text: string, skip: number) => text.slice(start + skip)
  return (
    rest(name, 1) === rest(known, 1) ||
    rest(name, 1) === rest(known, 0) ||
    rest(name, 0) === rest(known, 1) ||
    (name[start] === known[start + 1] && name[start + 1] === known[start] && rest(name, 2) === rest(known, 2))
  )
}
