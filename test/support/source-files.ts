/** Reads the product's source files as the tests of its architecture look at them. */
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** `<Result>(…) =>` is a tag in one of them, and a function in the other. */
const transpilers = { ts: new Bun.Transpiler({ loader: 'ts' }), tsx: new Bun.Transpiler({ loader: 'tsx' }) }

export interface SourceFile {
  /** From the project's root, for example `core/db.ts`. */
  path: string
  /** Without comments and types. */
  code: string
  /** What it imports, types included: paths from the root, or names of packages. */
  imports: string[]
  /** What is left of `imports` when it runs. */
  importsAtRuntime: string[]
}

/** Every TypeScript file of these top-level directories; one that does not exist has none. */
export async function sourceFiles(directories: string[]): Promise<SourceFile[]> {
  const files: SourceFile[] = []
  for (const directory of directories) {
    for (const path of await typescriptBelow(join(root, directory))) {
      files.push(sourceFile(relative(root, path), await readFile(path, 'utf8')))
    }
  }
  return files
}

export function sourceFile(path: string, written: string): SourceFile {
  // The runtime passes over the line that names it, the transpiler does not.
  const text = written.replace(/^#!.*/, '')
  const transpiler = transpilers[path.endsWith('.tsx') ? 'tsx' : 'ts']
  const resolve = (name: string) => (name.startsWith('.') ? join(dirname(path), name) : name)
  const importsAtRuntime = transpiler.scanImports(text).map((found) => resolve(found.path))
  // The transpiler forgets imports of types; they are arrows too.
  const declared = [
    ...text.matchAll(/^(?:import|export)\s[^'"`=;]*?\bfrom\s*['"]([^'"]+)['"]/gm),
    ...text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g),
  ].map(([, name = '']) => resolve(name))
  return {
    path,
    code: transpiler.transformSync(text),
    imports: [...new Set([...declared, ...importsAtRuntime])],
    importsAtRuntime,
  }
}

async function typescriptBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(ignoreMissing)
  return entries
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.name.endsWith('.d.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('node_modules'))
    .sort()
}

function ignoreMissing(error: NodeJS.ErrnoException): [] {
  if (error.code !== 'ENOENT') throw error
  return []
}
