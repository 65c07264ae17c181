/** BullMQ: in its process, in processes of its own ("sandboxed"), and in its process on PostgreSQL. */
import { fileURLToPath } from 'node:url'
import {
  createPostgresBackend,
  Queue,
  type QueueOptions,
  Worker,
  type WorkerOptions,
  withBackend,
} from 'bullmq'
import { byThousands } from '../by-thousands.ts'
import type { OpenPeer, PeerPayload } from './peer.ts'

const name = 'bench'
const concurrency = 100
const processes = 4
const processor = fileURLToPath(new URL('./bullmq-processor.js', import.meta.url))

export const openBullmq = (url: string) => open(onRedis(url), { concurrency })
export const openBullmqPostgres = (url: string) => open(onPostgres(url), { concurrency })

export const openBullmqSandboxed = (url: string) =>
  open(onRedis(url), {
    concurrency: processes,
    useWorkerThreads: false,
    // What preloads in ours is nothing for its processes: they would end at once.
    workerForkOptions: { execArgv: [] },
  })

interface Kit {
  createQueue(): Queue
  createWorker(run: string | ((job: { data: PeerPayload }) => Promise<void>), options: Settings): Worker
}

type Settings = Pick<WorkerOptions, 'concurrency' | 'useWorkerThreads' | 'workerForkOptions'>

function onRedis(url: string): Kit {
  const { hostname, port } = new URL(url)
  const connection: QueueOptions['connection'] = {
    host: hostname,
    port: Number(port),
    maxRetriesPerRequest: null,
  }
  return {
    createQueue: () => new Queue(name, { connection }),
    createWorker: (run, settings) => new Worker(name, run, { connection, ...settings }),
  }
}

function onPostgres(url: string): Kit {
  const classes = withBackend(createPostgresBackend)
  const connection = { connectionString: url, migrate: true, max: 10 }
  return {
    createQueue: () => new classes.Queue(name, { connection }) as unknown as Queue,
    createWorker: (run, settings) =>
      new classes.Worker(name, run, { connection, ...settings }) as unknown as Worker,
  }
}

async function open(kit: Kit, settings: Settings): Promise<OpenPeer> {
  const queue = kit.createQueue()
  await queue.waitUntilReady()
  let worker: Worker | undefined
  return {
    // As they stay with us, they stay with it: nothing is removed when it is done.
    enqueue: (count, payload = {}) =>
      byThousands(count, (part) =>
        queue.addBulk(Array.from({ length: part }, () => ({ name: 'noop', data: payload }))),
      ),
    work: async (onJob) => {
      const run = settings.useWorkerThreads === undefined ? inProcess(onJob) : processor
      worker = kit.createWorker(run, settings)
      worker.on('error', (error) => console.error(error))
      await worker.waitUntilReady()
    },
    left: async () => {
      const counts = await queue.getJobCounts('wait', 'active', 'prioritized')
      return Object.values(counts).reduce((sum, count) => sum + count, 0)
    },
    close: async () => {
      await worker?.close()
      await queue.obliterate({ force: true })
      await queue.close()
    },
  }
}

function inProcess(onJob: (payload: PeerPayload) => void) {
  return async ({ data }: { data: PeerPayload }) => onJob(data)
}
