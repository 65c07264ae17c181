/**
 * Gives job files the copy of zod that is bundled with this process, compiled ahead, in place of the very same code
 * from some hundred source files: half of what a job process costs is that import.
 */

/** @param path the file that job files import as `zod`; only that one is replaced, not another version of a user's */
export function provideZod(path: string): void {
  const filter = new RegExp(`^${path.replaceAll(/[^\w/]/g, '\\$&')}$`)
  Bun.plugin({
    name: 'zod',
    setup(build) {
      build.onLoad({ filter }, async () => ({ exports: { ...(await import('zod')) }, loader: 'object' }))
    },
  })
}
