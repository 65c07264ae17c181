/** Node itself: `bun --bun` puts a `node` before it on PATH that is Bun. */
export function nodeBinary(): string | null {
  const path = (process.env.PATH ?? '')
    .split(':')
    .filter((directory) => !/\/bun-node-[^/]*$/.test(directory))
    .join(':')
  return Bun.which('node', { PATH: path })
}
