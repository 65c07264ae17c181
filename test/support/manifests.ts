/** The manifests of infra/kubernetes, as objects: read as Kustomize does, which follows `resources`. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const kubernetesDirectory = fileURLToPath(new URL('../../infra/kubernetes', import.meta.url))

/** Whatever a manifest holds; what the schemas say of it is tested, not assumed. */
// biome-ignore lint/suspicious/noExplicitAny: a manifest is checked against its schema before it is looked into
export type Manifest = any

/** All that a directory with a kustomization brings along. */
export async function manifestsOf(directory: string): Promise<Manifest[]> {
  const [{ resources }] = await read(join(directory, 'kustomization.yaml'))
  const found = await Promise.all(
    resources.map(async (name: string) => {
      const path = join(directory, name)
      return (await stat(path)).isDirectory() ? await manifestsOf(path) : await read(path)
    }),
  )
  return found.flat()
}

/** Every file, whether a kustomization names it or not. */
export async function allFiles(): Promise<string[]> {
  const names = await readdir(kubernetesDirectory, { recursive: true })
  return names.filter((name) => name.endsWith('.yaml')).sort()
}

async function read(path: string): Promise<Manifest[]> {
  return [Bun.YAML.parse(await readFile(path, 'utf8'))].flat()
}
