/**
 * Entry of the discovery process: loads the job files named in its argument, one after another, and tells of each
 * that it begins and what came of it, on descriptor 3. Writing is synchronous, so that a file that ends the process
 * is known by name.
 */
import { writeSync } from 'node:fs'
import { loadJobFile } from '../core/definitions/discover.ts'
import type { FromDiscovery } from './discovery.ts'

const descriptor = 3

// What a file does on the side while it is loaded is its failure too.
for (const event of ['uncaughtException', 'unhandledRejection'])
  process.on(event, (error) => {
    tell({ type: 'stray', error: `on the side: ${error}` })
    process.exit(1)
  })

for (const path of JSON.parse(process.argv[2] ?? '[]') as string[]) {
  tell({ type: 'loading', path })
  const outcome = await loadJobFile(path)
  // Time for what it left to happen on the side.
  await new Promise((resolve) => setImmediate(resolve))
  tell({ type: 'outcome', path, outcome })
}
process.exit(0)

function tell(message: FromDiscovery): void {
  let rest = Buffer.from(`${JSON.stringify(message)}\n`)
  while (rest.length > 0) rest = rest.subarray(writeSync(descriptor, rest))
}
