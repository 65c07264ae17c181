/** What is in an image: its size and layers, and that it has no rights, no tool to build with, and no secret in it. */
import { strict as assert } from 'node:assert'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { client, docker, run, succeed } from './docker.ts'

/** What has no place in an image that runs. */
const buildTools = ['npm', 'node', 'gcc', 'cc', 'make', 'git', 'curl', 'wget', 'python3']
/** Files by whose names secrets go. */
const secretNames =
  /(^|\/)(\.npmrc|\.env(\..*)?|\.netrc|id_(rsa|ecdsa|ed25519)|[^/]+\.key|\.aws\/.+|\.docker\/.+|run\/secrets\/.+)$/
/** EX_CONFIG: a program starts, finds no configuration, and says so. */
const withoutConfiguration = 78

export async function inspect(image: string): Promise<void> {
  const bytes = Number(await docker('image', 'inspect', '--format', '{{.Size}}', image))
  const history = await docker('history', '--no-trunc', '--format', '{{.Size}}\t{{.CreatedBy}}', image)
  const layers = history.split('\n').filter((line) => !line.startsWith('0B\t'))
  console.log(`\n${image}  ${(bytes / 1e6).toFixed(0)} MB in ${layers.length} layers`)
  for (const line of layers) console.log(`  ${line.slice(0, 120)}`)

  await hasNoRightsAndNoTools(image)
  await hasNoSecretInAnyLayer(image)
  const locked = ['--read-only', '--cap-drop', 'ALL', '--network', 'none']
  const refused = await run([client, 'run', '--rm', ...locked, image])
  assert.equal(
    refused.status,
    withoutConfiguration,
    `${image} ended with ${refused.status}: ${refused.stderr}`,
  )
}

async function hasNoRightsAndNoTools(image: string): Promise<void> {
  const look = [
    'id -u',
    `for tool in ${buildTools.join(' ')}; do command -v $tool; done`,
    'touch /app/x 2> /dev/null && echo /app can be written to',
    'env',
  ]
  const options = ['--rm', '--network', 'none', '--cap-drop', 'ALL', '--entrypoint', 'sh']
  const [user, ...rest] = (await docker('run', ...options, image, '-c', look.join('; '))).split('\n')
  assert.equal(user, '10001', `${image} runs as ${user}`)
  for (const line of rest) {
    assert(line.includes('='), `${image} has what it should not: ${line}`)
    assert(!/KEY|SECRET|PASSWORD|TOKEN/.test(line), `${image} has a secret in its environment: ${line}`)
  }
}

/** What a later layer removes is still in the earlier one. */
async function hasNoSecretInAnyLayer(image: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'job-server-layers-'))
  try {
    await docker('save', '-o', join(directory, 'image.tar'), image)
    await succeed(['tar', '-x', '-f', join(directory, 'image.tar'), '-C', directory])
    let layers = 0
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name === 'image.tar') continue
      const listed = await run(['tar', '-t', '-f', join(entry.parentPath, entry.name)])
      if (listed.status !== 0) continue
      layers++
      const secrets = listed.stdout.split('\n').filter((name) => secretNames.test(name))
      assert.deepEqual(secrets, [], `${image} has secrets in a layer`)
    }
    assert(layers > 5, `${image} was saved in ${layers} layers, which can't be all`)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
