/** What differs between stages; all else is the same code. A stage of your own is one more entry. */

export interface Stage {
  /** Availability zones, and NAT gateways among them: with one, the loss of its zone stops what calls outside. */
  zones: number
  natGateways: number
  database: {
    /** Aurora capacity units, 2 GiB of memory each. Proxy and scheduler keep it awake, so 0 would never be reached. */
    minCapacity: number
    maxCapacity: number
    /** Besides the writer, in other zones, each ready to take over. */
    readers: number
    backupDays: number
    isKept: boolean
  }
  storage: {
    isKept: boolean
    /** Days until sources and outputs go; undefined: they stay. */
    sourceDays?: number
    outputDays?: number
  }
  api: {
    memoryMb: number
    /** Instances at most: each holds one connection of the proxy. */
    instances: number
    /** Origins, beside the API's own URL, whose pages may call the API, and put to and get from the bucket. */
    origins: string[]
  }
  worker: {
    /** Of one task: 1024 are one vCPU. */
    cpu: number
    memoryMb: number
    /** Of a task, for the sources and outputs of all its slots: MAX_UPLOAD_BYTES in `settings` goes with it. */
    scratchGb: number
    /** Jobs that a task runs at once. */
    slots: number
    /** With 0, definitions of a new version are known only once a job of the old one has started a task. */
    minTasks: number
    maxTasks: number
    /** Tasks that are never Spot, and of the others so many on demand for so many on Spot. */
    onDemandBase: number
    onDemandWeight: number
    spotWeight: number
  }
  /** A function each minute costs next to nothing; a container fires within 100 ms of the time. */
  scheduler: 'function' | 'container'
  logDays: number
  /** Of all programs, beside those that the stacks make (README, Configuration). No secrets: everybody can read them. */
  settings?: Record<string, string>
  /** Who is told when an alarm goes off. */
  alarmEmail?: string
}

export const stages: Record<string, Stage> = {
  dev: {
    zones: 2,
    natGateways: 1,
    database: { minCapacity: 0.5, maxCapacity: 4, readers: 0, backupDays: 1, isKept: false },
    storage: { isKept: false, sourceDays: 14, outputDays: 14 },
    settings: { SOURCE_RETENTION_DAYS: '7', HISTORY_RETENTION_DAYS: '7', MAX_UPLOAD_BYTES: gibibytes(10) },
    api: { memoryMb: 512, instances: 20, origins: ['http://localhost:3000'] },
    worker: {
      cpu: 2048,
      memoryMb: 4096,
      scratchGb: 30,
      slots: 2,
      minTasks: 0,
      maxTasks: 4,
      onDemandBase: 0,
      onDemandWeight: 0,
      spotWeight: 1,
    },
    scheduler: 'function',
    logDays: 7,
  },
  prod: {
    zones: 2,
    natGateways: 2,
    database: { minCapacity: 1, maxCapacity: 32, readers: 1, backupDays: 14, isKept: true },
    storage: { isKept: true },
    settings: { MAX_UPLOAD_BYTES: gibibytes(30) },
    api: { memoryMb: 1024, instances: 200, origins: [] },
    worker: {
      cpu: 4096,
      memoryMb: 8192,
      scratchGb: 100,
      slots: 2,
      minTasks: 2,
      maxTasks: 50,
      onDemandBase: 2,
      onDemandWeight: 1,
      spotWeight: 3,
    },
    scheduler: 'container',
    logDays: 90,
  },
}

function gibibytes(count: number): string {
  return String(count * 2 ** 30)
}

/** @throws Error that names the stages there are */
export function stageOf(name: unknown): Stage {
  const stage = typeof name === 'string' ? stages[name] : undefined
  if (stage === undefined) {
    throw new Error(`Which stage? ${JSON.stringify(name)} is none of ${Object.keys(stages).join(', ')}.`)
  }
  return stage
}
