import { describe, expect, test } from 'vitest'
import { ConfigError, configFields, parseConfig, parseConfigWithoutStorage } from '../../../core/config.ts'

const enough = { DATABASE_URL: 'postgres://u:p@db/jobs', S3_BUCKET: 'videos' }

function problemsOf(environment: Record<string, string>): string[] {
  try {
    parseConfig(environment)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

test('what is required is enough, and defaults fill the rest', () => {
  expect(parseConfig(enough)).toMatchObject({
    PORT: 3000,
    MAX_CONCURRENT_EXECUTIONS: 4,
    WATCH_JOBS: false,
    AUTH: 'keys',
  })
})

test('every problem is reported at once, a line each', () => {
  const problems = problemsOf({
    DATABASE_URL: 'localhost:5432',
    MAX_CONCURRENT_EXECUTIONS: 'four',
    WATCH_JOBS: 'yes',
  })
  expect(problems).toHaveLength(4)
  expect(problems.join('\n')).toMatch(/DATABASE_URL +expected a postgres:\/\/ or postgresql:\/\/ URL/)
  expect(problems.join('\n')).toMatch(
    /MAX_CONCURRENT_EXECUTIONS +expected an integer from 1 to 1000, got "four"/,
  )
  expect(problems.join('\n')).toMatch(/WATCH_JOBS +expected true or false, got "yes"/)
  expect(problems.join('\n')).toMatch(/S3_BUCKET +required, got nothing\. Bucket for sources and outputs\.$/m)
})

test('a secret is never part of a message', () => {
  const problems = problemsOf({ ...enough, DATABASE_URL: 'mysql://root:hunter2@db/jobs' })
  expect(problems).toHaveLength(1)
  expect(problems[0]).not.toContain('hunter2')
})

describe('a name one typo away from a known one is pointed out', () => {
  test.each(['DATABSE_URL', 'MAX_CONCURENT_EXECUTIONS', 'WACTH_JOBS', 'S3_BUCKETS'])('%s', (name) => {
    const { DATABASE_URL, S3_BUCKET } = enough
    const given: Record<string, string> =
      name === 'DATABSE_URL' ? { S3_BUCKET } : name === 'S3_BUCKETS' ? { DATABASE_URL } : enough
    expect(problemsOf({ ...given, [name]: '1' }).join('\n')).toContain('did you mean')
  })

  test('but a name that is merely ours to ignore is not', () => {
    expect(problemsOf({ ...enough, HOSTNAME: 'x', PATH: '/bin', SHELL: 'sh' })).toEqual([])
  })
})

describe('what jobs get of the environment', () => {
  const namesOf = (text: string) => parseConfig({ ...enough, JOB_ENVIRONMENT: text }).JOB_ENVIRONMENT

  test('is nothing, or the variables that are named', () => {
    expect(namesOf('')).toEqual([])
    expect(namesOf('STRIPE_KEY, billing_url,')).toEqual(['STRIPE_KEY', 'billing_url'])
  })

  test.each([
    ...Object.keys(configFields),
    'PGPASSWORD',
    'S3_SESSION_TOKEN',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
    'JOB_SERVER_API_KEY',
    'JOB_SERVER_PROCESS',
  ])('is never %s', (name) => {
    const problems = problemsOf({ ...enough, JOB_ENVIRONMENT: `STRIPE_KEY,${name}` })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(`JOB_ENVIRONMENT  expected names other than ${name}, which`)
  })

  test.each(['STRIPE KEY', 'STRIPE-KEY', '1ST', 'STRIPE_KEY=hunter2'])(
    'has names that variables can have, and "%s" is repeated to nobody',
    (name) => {
      const problems = problemsOf({ ...enough, JOB_ENVIRONMENT: name })
      expect(problems).toHaveLength(1)
      expect(problems[0]).toContain('expected names of environment variables')
      expect(problems[0]).not.toContain(name)
    },
  )
})

test('a program without a need for the storage is not asked for the way there', () => {
  const { DATABASE_URL } = enough
  expect(parseConfigWithoutStorage({ DATABASE_URL, S3_ACCESS_KEY_ID: 'half' })).toMatchObject({
    DATABASE_URL,
    LOG_LEVEL: 'info',
  })
  expect(() => parseConfigWithoutStorage({ DATABASE_URL, LOG_LEVEL: 'loud' })).toThrow(/^LOG_LEVEL {2}/)
  expect(() => parseConfigWithoutStorage({})).toThrow(/^DATABASE_URL {2}required/)
})

test('names and values in a list are read as OpenTelemetry writes them, or refused', () => {
  const headersOf = (text: string) =>
    parseConfig({ ...enough, OTEL_EXPORTER_OTLP_HEADERS: text }).OTEL_EXPORTER_OTLP_HEADERS
  expect(headersOf('authorization=Bearer%20a=b, x-tenant = one,')).toEqual({
    authorization: 'Bearer a=b',
    'x-tenant': 'one',
  })
  for (const text of ['authorization', 'a b=c', 'a=%', 'a=b\nc=d']) {
    const [problem] = problemsOf({ ...enough, OTEL_EXPORTER_OTLP_HEADERS: text })
    expect(problem).toMatch(/expected name=value.*not shown/)
  }
})

test.each(['0', '0.25', '1', '1.0'])('a share of %s is one', (share) => {
  expect(parseConfig({ ...enough, OTEL_TRACES_SAMPLER_ARG: share }).OTEL_TRACES_SAMPLER_ARG).toBe(
    Number(share),
  )
})

test.each(['-1', '1.1', 'half', '.5'])('a share of %s is none', (share) => {
  expect(problemsOf({ ...enough, OTEL_TRACES_SAMPLER_ARG: share }).join()).toContain('from 0 to 1')
})

test('half of a key pair is refused', () => {
  expect(problemsOf({ ...enough, S3_ACCESS_KEY_ID: 'a' }).join()).toContain('S3_SECRET_ACCESS_KEY')
})
