import { expect, test } from 'vitest'
import { jobDirectory, jobFile } from '../support/job-files.ts'
import { startServer, type TestJob } from '../support/server.ts'
import { until } from '../support/until.ts'

const says = (text: string) => `() => '${text}'`
const helped = (key: string, more = '') =>
  jobFile({
    key,
    more,
    top: "import { word } from './lib/words.ts'",
    run: '() => ({ word, pid: process.pid })',
  })

const jobs = await jobDirectory({
  'edited.ts': jobFile({ key: 'edited', run: says('first') }),
  'saved.ts': jobFile({ key: 'saved', run: says('first') }),
  'deleted.ts': jobFile({ key: 'deleted', run: says('still there') }),
  'breaks.ts': jobFile({ key: 'breaks', run: says('whole') }),
  'helped.ts': helped('helped'),
  'helped-reused.ts': helped('helped.reused', 'runsPerProcess: 100,'),
  'lib/words.ts': "export const word = 'first'",
  'broken-from-the-start.ts': 'process.exit(0)',
})
const server = await startServer({ environment: { JOBS_DIR: jobs.path, WATCH_JOBS: 'true' } })
const [worker] = server.workers

async function resultOf(key: string): Promise<unknown> {
  return (await (await server.enqueue(key)).reaches('succeeded')).result
}

/** Waits until the worker's last word on its definitions is as asked. */
async function workerHas(what: string, check: (definitions: string[]) => boolean): Promise<void> {
  await until(what, () => {
    const lines = (worker?.lastLines ?? '').split('\n').filter((line) => line.includes('definitions.loaded'))
    const { definitions } = JSON.parse(lines.at(-1) ?? '{"definitions":[]}') as { definitions: string[] }
    return check(definitions)
  })
}

/** The worker takes other jobs, but not this one. */
async function waits(job: TestJob): Promise<void> {
  await resultOf('echo')
  expect(await job.read()).toMatchObject({ status: 'queued', attempts: 0 })
}

test('a broken file does not keep a worker from starting with the others', async () => {
  expect(await resultOf('edited')).toBe('first')
  expect(worker?.lastLines).toMatch(/broken-from-the-start.*definition\.broken/)
})

test('an edit counts for the next job', async () => {
  await jobs.write('edited.ts', jobFile({ key: 'edited', run: says('second') }))
  expect(await resultOf('edited')).toBe('second')
})

test('an edit by an editor that renames counts too, also for what is registered', async () => {
  await jobs.replace('saved.ts', jobFile({ key: 'saved', run: says('second'), more: 'version: 2,' }))
  await workerHas('the new version', (definitions) => definitions.includes('saved@2'))
  const job = await server.enqueue('saved', {}, { definitionVersion: 2 })
  expect(await job.reaches('succeeded')).toMatchObject({ result: 'second' })
})

test('a new file is picked up without a restart', async () => {
  await jobs.write('new.ts', jobFile({ key: 'new', run: says('hello') }))
  await workerHas('the new definition', (definitions) => definitions.includes('new@1'))
  expect(await resultOf('new')).toBe('hello')
})

test('jobs of a deleted file wait until it is back', async () => {
  await jobs.remove('deleted.ts')
  await workerHas('no such definition', (definitions) => !definitions.includes('deleted@1'))
  const job = await server.enqueue('deleted')
  await waits(job)
  await jobs.write('deleted.ts', jobFile({ key: 'deleted', run: says('back again') }))
  expect(await job.reaches('succeeded')).toMatchObject({ result: 'back again', attempts: 1 })
})

test('jobs of a file that an edit broke wait until it is mended, and the others go on', async () => {
  await jobs.write('breaks.ts', 'export default {{{')
  await workerHas('no such definition', (definitions) => !definitions.includes('breaks@1'))
  const job = await server.enqueue('breaks')
  await waits(job)
  await jobs.write('breaks.ts', jobFile({ key: 'breaks', run: says('mended') }))
  expect(await job.reaches('succeeded')).toMatchObject({ result: 'mended', attempts: 1 })
})

test('the schedule of a definition stays while its file is broken, and goes with it', async () => {
  const scheduled = async () => {
    const { schedules } = await (await server.request('GET', '/v1/schedules')).json()
    return schedules.map(({ name }: { name: string }) => name)
  }
  await jobs.write('daily.ts', jobFile({ key: 'daily', more: "schedule: '@daily'," }))
  await until('the schedule', async () => (await scheduled()).includes('daily@1'))
  await jobs.write('daily.ts', 'export default {{{')
  await workerHas('no such definition', (definitions) => !definitions.includes('daily@1'))
  expect(await scheduled()).toEqual(['daily@1'])
  await jobs.remove('daily.ts')
  await until('the schedule to be gone', async () => (await scheduled()).length === 0)
})

test('an edit of a helper below the directory counts, for processes in use too', async () => {
  const used = (await resultOf('helped.reused')) as { pid: number; word: string }
  expect(await resultOf('helped.reused'), 'the process is used again').toEqual(used)
  await jobs.write('lib/words.ts', "export const word = 'second'")
  await until('the used process to be replaced', async () => {
    const { pid } = (await resultOf('helped.reused')) as { pid: number }
    return pid !== used.pid
  })
  expect(await resultOf('helped.reused')).toMatchObject({ word: 'second' })
  expect(await resultOf('helped')).toMatchObject({ word: 'second' })
})
