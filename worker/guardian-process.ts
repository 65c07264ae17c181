/** Entry of the guardian: waits for the end of its coordinator, then kills what that left behind. See guardian.ts. */
import { rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { ToGuardian } from './guardian.ts'
import { ProcessTree, type TreeRoot } from './process-tree.ts'

const roots = new Map<number, TreeRoot>()
let directories: string[] = []

// A signal to everything in the container must not reach the guardian first.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
for await (const line of createInterface({ input: process.stdin })) receive(JSON.parse(line))
await Promise.all([...roots.values()].map(endTree))
for (const directory of directories) await rm(directory, { recursive: true, force: true })
process.exit(0)

async function endTree(root: TreeRoot): Promise<void> {
  const tree = new ProcessTree(root)
  tree.directories = directories
  await tree.end()
}

function receive(message: ToGuardian): void {
  switch (message.type) {
    case 'directories':
      directories = message.directories
      break
    case 'watch':
      roots.set(message.root.pid, message.root)
      break
    case 'release':
      roots.delete(message.pid)
  }
}
