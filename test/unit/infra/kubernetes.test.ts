/** The manifests against the schemas of Kubernetes and KEDA, and what they promise. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as keda from '@kubernetes-models/keda/keda.sh/v1alpha1'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler'
import { CronJob } from 'kubernetes-models/batch/v1/CronJob'
import { Job } from 'kubernetes-models/batch/v1/Job'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap'
import { Namespace } from 'kubernetes-models/v1/Namespace'
import { Service } from 'kubernetes-models/v1/Service'
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount'
import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../../core/config.ts'
import { allFiles, kubernetesDirectory, type Manifest, manifestsOf } from '../../support/manifests.ts'

type Model = new () => { validate(): void }
const models: Record<string, Model> = {
  'apps/v1 Deployment': Deployment,
  'autoscaling/v2 HorizontalPodAutoscaler': HorizontalPodAutoscaler,
  'batch/v1 CronJob': CronJob,
  'batch/v1 Job': Job,
  'keda.sh/v1alpha1 ScaledObject': keda.ScaledObject,
  'keda.sh/v1alpha1 TriggerAuthentication': keda.TriggerAuthentication,
  'networking.k8s.io/v1 NetworkPolicy': NetworkPolicy,
  'policy/v1 PodDisruptionBudget': PodDisruptionBudget,
  'v1 ConfigMap': ConfigMap,
  'v1 Namespace': Namespace,
  'v1 Service': Service,
  'v1 ServiceAccount': ServiceAccount,
}

const [whole, withTick, migration, firstKey, openEgress] = await Promise.all(
  ['.', 'with-tick', 'migrate', 'first-key', 'open-egress'].map((name) =>
    manifestsOf(join(kubernetesDirectory, name)),
  ),
)
const all: Manifest[] = [
  ...new Map(
    [whole, withTick, migration, firstKey, openEgress].flat().map((manifest) => [nameOf(manifest), manifest]),
  ).values(),
]
const programs = all.filter(({ kind }) => ['Deployment', 'CronJob', 'Job'].includes(kind))

function nameOf({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.name}`
}

function find(name: string): Manifest {
  const manifest = all.find((one) => nameOf(one) === name)
  if (manifest === undefined) throw new Error(`there is no ${name}`)
  return manifest
}

function podOf({ kind, spec }: Manifest): Manifest {
  return (kind === 'CronJob' ? spec.jobTemplate.spec : spec).template
}

/** @throws when the schema refuses it. @returns the fields that the schema did not look at: it does not know them */
function unknownFields(manifest: Manifest): string[] {
  const model = models[`${manifest.apiVersion} ${manifest.kind}`]
  if (model === undefined) throw new Error(`no schema for ${manifest.apiVersion} ${manifest.kind}`)
  const looked = new Set<string>()
  // Not given to the constructor, which would copy it and so look at everything.
  new model().validate.call(watched(manifest, '', looked))
  return fieldsOf(manifest, '').filter((path) => !looked.has(path))
}

function watched(value: unknown, path: string, looked: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value
  return new Proxy(value, {
    get(target, key) {
      const inner = `${path}/${String(key)}`
      looked.add(inner)
      return watched(Reflect.get(target, key), inner, looked)
    },
  })
}

function fieldsOf(value: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => [
    `${path}/${key}`,
    ...fieldsOf(inner, `${path}/${key}`),
  ])
}

describe('the schemas', () => {
  test.each(all.map((manifest) => [nameOf(manifest), manifest]))('know %s', (_, manifest) => {
    expect(unknownFields(manifest)).toEqual([])
  })

  test('would refuse a wrong value, and tell of a field that does not exist', () => {
    const wrong = structuredClone(find('Deployment worker'))
    wrong.spec.template.spec.terminationGracePeriodSeconds = 'long'
    expect(() => unknownFields(wrong)).toThrow(/terminationGracePeriodSeconds/)
    const mistyped = structuredClone(find('Deployment worker'))
    mistyped.spec.template.spec.containers[0].livenesProbe = {}
    expect(unknownFields(mistyped)).toEqual(['/spec/template/spec/containers/0/livenesProbe'])
  })

  test('see every file that lies there', async () => {
    const kustomizations = [
      ...['.', 'base', 'common', 'first-key', 'images', 'migrate', 'open-egress', 'scheduler', 'tick'],
      'with-tick',
    ]
    const named = kustomizations.map((name) => join(name, 'kustomization.yaml'))
    const manifests = (await allFiles()).filter((file) => !file.endsWith('kustomization.yaml'))
    expect((await allFiles()).filter((file) => file.endsWith('kustomization.yaml'))).toEqual(named.toSorted())
    expect(manifests).toHaveLength(12)
  })
})

test.each([
  ['migrate', migration],
  ['first-key', firstKey],
])('%s, which comes before the programs, brings what its pod names', (name, manifests) => {
  const { spec } = podOf(find(`Job ${name}`))
  const [container] = spec.containers
  const named = container.envFrom.flatMap(({ configMapRef }: Manifest) =>
    configMapRef === undefined ? [] : [`ConfigMap ${configMapRef.name}`],
  )
  expect(named).toHaveLength(1)
  expect(manifests?.map(nameOf)).toEqual(
    expect.arrayContaining(['Namespace job-server', `ServiceAccount ${spec.serviceAccountName}`, ...named]),
  )
})

test('the largest sources that are taken fit into the scratch of all slots, with their outputs', () => {
  const { data } = find('ConfigMap job-server')
  const { containers, volumes } = podOf(find('Deployment worker')).spec
  const { value: slots } = containers[0].env.find(
    ({ name }: Manifest) => name === 'MAX_CONCURRENT_EXECUTIONS',
  )
  const gibibytes = Number.parseInt(
    volumes.find(({ name }: Manifest) => name === 'scratch').emptyDir.sizeLimit,
    10,
  )
  expect(Number(slots) * Number(data.MAX_UPLOAD_BYTES) * 1.5).toBeLessThanOrEqual(gibibytes * 2 ** 30)
})

test('the migration has ended before who waits for it gives up', async () => {
  const commands = await readFile(join(kubernetesDirectory, '../OPERATIONS.md'), 'utf8')
  const minutes = [...commands.matchAll(/job\/migrate --timeout=(\d+)m/g)].map(([, count]) => Number(count))
  expect(minutes.length).toBeGreaterThan(0)
  expect(find('Job migrate').spec.activeDeadlineSeconds).toBeLessThan(60 * Math.min(...minutes))
})

test('the fleet is scaled by what the database itself says, whatever pooler the programs have', () => {
  const { spec } = find('TriggerAuthentication job-server-database')
  expect(spec.secretTargetRef).toEqual([expect.objectContaining({ key: 'DATABASE_LISTEN_URL' })])
})

test('the first key is made once, by the image that has the command', () => {
  const { spec } = find('Job first-key')
  const [container] = spec.template.spec.containers
  expect(spec.backoffLimit).toBe(0)
  expect(container.image).toBe('job-server-api')
  expect(container.command.slice(0, 5)).toEqual(['tini', '--', 'bun', 'scripts/keys.ts', 'create'])
})

test('all that is applied takes the names of its images from one place, which knows them all', async () => {
  const kustomization = async (name: string) =>
    Bun.YAML.parse(await readFile(join(kubernetesDirectory, name, 'kustomization.yaml'), 'utf8')) as Manifest
  const { images } = await kustomization('images')
  const used = programs.flatMap((program) =>
    podOf(program).spec.containers.map(({ image }: Manifest) => image),
  )
  expect(images.map(({ name }: Manifest) => name).toSorted()).toEqual([...new Set(used)].toSorted())
  for (const name of ['.', 'with-tick', 'migrate', 'first-key']) {
    const { components } = await kustomization(name)
    expect(components.map((path: string) => join(name, path))).toEqual(['images'])
  }
})

describe.each(programs.map((program) => [nameOf(program), podOf(program)]))(
  '%s',
  (name, { spec, metadata }) => {
    const [container] = spec.containers

    test('runs without rights on a root file system that can not be written to', () => {
      expect(spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 10001,
        seccompProfile: { type: 'RuntimeDefault' },
      })
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      expect(spec.automountServiceAccountToken).toBe(false)
    })

    test('says what it needs, and takes no more memory than it may', () => {
      expect(container.resources.requests).toMatchObject({
        cpu: expect.any(String),
        memory: expect.any(String),
      })
      expect(container.resources.limits.memory).toBeDefined()
    })

    test('has a configuration that the program takes', () => {
      const environment = Object.fromEntries(
        (container.env ?? []).map(({ name, value }: { name: string; value: string }) => [name, value]),
      )
      const secrets = { DATABASE_URL: 'postgres://localhost/postgres' }
      expect(() =>
        parseConfig({ ...find('ConfigMap job-server').data, ...secrets, ...environment }),
      ).not.toThrow()
    })

    test('is one of those that may reach database and storage', () => {
      expect(metadata.labels).toMatchObject(
        find('NetworkPolicy database-and-storage').spec.podSelector.matchLabels,
      )
      expect(name).toContain(metadata.labels['app.kubernetes.io/component'])
    })
  },
)

test('a worker ends by itself before it is killed', () => {
  const { spec } = podOf(find('Deployment worker'))
  const grace = spec.containers[0].env.find(
    ({ name }: { name: string }) => name === 'SHUTDOWN_GRACE_SECONDS',
  ).value
  expect(spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(Number(grace) + 15)
})

test('a worker writes to its scratch volume alone, and no more than fits', () => {
  const { spec } = podOf(find('Deployment worker'))
  expect(spec.containers[0].volumeMounts).toEqual([{ name: 'scratch', mountPath: '/scratch' }])
  expect(spec.volumes).toEqual([{ name: 'scratch', emptyDir: { sizeLimit: '60Gi' } }])
})

test('the API is asked whether it lives, and apart from that whether it can do its work', () => {
  const [container] = podOf(find('Deployment api')).spec.containers
  expect(container.livenessProbe.httpGet.path).toBe('/healthz')
  expect(container.readinessProbe.httpGet.path).toBe('/readyz')
})

test('what scales by itself has no number of replicas that applying again would set back', () => {
  for (const name of ['api', 'worker']) expect(find(`Deployment ${name}`).spec.replicas).toBeUndefined()
})

test('workers scale from one, which makes the definitions known, by what a pod can run at once', () => {
  const { spec } = find('ScaledObject worker')
  const slots = podOf(find('Deployment worker')).spec.containers[0].env[0]
  expect(spec).toMatchObject({ scaleTargetRef: { name: 'worker' }, minReplicaCount: 1 })
  expect(slots).toEqual({
    name: 'MAX_CONCURRENT_EXECUTIONS',
    value: spec.triggers[0].metadata.targetQueryValue,
  })
})

test('a drain of nodes takes one worker at a time and leaves an API', () => {
  expect(find('PodDisruptionBudget worker').spec.maxUnavailable).toBe(1)
  expect(find('PodDisruptionBudget api').spec.minAvailable).toBe(1)
})

describe('the network', () => {
  test('lets nothing in and nothing out that is not named', () => {
    expect(find('NetworkPolicy nothing').spec).toEqual({
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
    })
    const ingress = (whole ?? []).filter(
      ({ kind, spec }) => kind === 'NetworkPolicy' && spec.ingress !== undefined,
    )
    expect(ingress.map(nameOf)).toEqual(['NetworkPolicy api'])
  })

  test('lets workers, and so their jobs, reach names, database and storage', () => {
    const { egress } = find('NetworkPolicy database-and-storage').spec
    const ports = egress.map(({ ports }: Manifest) => ports.map(({ port }: { port: number }) => port))
    expect(ports).toEqual([[53, 53], [5432], [443]])
    for (const { to } of egress) {
      // An empty list is everywhere.
      expect(to.length).toBeGreaterThan(0)
      for (const { ipBlock } of to) expect(ipBlock?.cidr ?? '').not.toBe('0.0.0.0/0')
    }
  })

  test('never lets them reach private addresses or those of the cloud, even when it is opened', () => {
    const { except } = find('NetworkPolicy open-egress').spec.egress[0].to[0].ipBlock
    expect(except).toEqual(
      expect.arrayContaining(['10.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16']),
    )
  })
})

test('the tick comes instead of the scheduler, each minute, with nothing left of one that hangs', () => {
  expect((withTick ?? []).map(nameOf)).not.toContain('Deployment scheduler')
  expect((whole ?? []).map(nameOf)).not.toContain('CronJob tick')
  const { spec } = find('CronJob tick')
  expect(spec).toMatchObject({ schedule: '* * * * *', concurrencyPolicy: 'Forbid' })
  expect(spec.jobTemplate.spec.activeDeadlineSeconds).toBeLessThan(60)
  expect(podOf(find('CronJob tick')).spec.containers[0].command).toEqual([
    'tini',
    '--',
    'bun',
    'scheduler/main.ts',
    'tick',
  ])
})
