/** Which view is at which address. Views are loaded when they are first looked at. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  type ErrorComponentProps,
  Link,
  lazyRouteComponent,
} from '@tanstack/react-router'
import { parseSearch, type Search, stringifySearch, textOf, wordOf } from './search.ts'
import { Shell } from './shell/shell.tsx'
import { Empty, Failure, Page, Skeleton } from './ui/basics.tsx'

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound })
const under = () => root

export const shownStatuses = ['queued', 'running', 'succeeded', 'failed', 'cancelling', 'cancelled'] as const

const overview = createRoute({
  getParentRoute: under,
  path: '/',
  component: lazyRouteComponent(() => import('./views/overview/overview.tsx'), 'Overview'),
})

/** Which jobs are listed; what is left out does not matter. */
export interface JobSearch {
  status?: (typeof shownStatuses)[number] | undefined
  definition?: string | undefined
  queue?: string | undefined
  tag?: string | undefined
  worker?: string | undefined
  error?: string | undefined
  since?: string | undefined
}

const jobs = createRoute({
  getParentRoute: under,
  path: '/jobs',
  validateSearch: (search: Search): JobSearch => ({
    status: wordOf(search, 'status', shownStatuses),
    definition: textOf(search, 'definition'),
    queue: textOf(search, 'queue'),
    tag: textOf(search, 'tag'),
    worker: textOf(search, 'worker'),
    error: textOf(search, 'error'),
    since: textOf(search, 'since'),
  }),
  component: lazyRouteComponent(() => import('./views/jobs/jobs.tsx'), 'Jobs'),
})

const job = createRoute({
  getParentRoute: under,
  path: '/jobs/$jobId',
  component: lazyRouteComponent(() => import('./views/job/job.tsx'), 'JobView'),
})

const queues = createRoute({
  getParentRoute: under,
  path: '/queues',
  component: lazyRouteComponent(() => import('./views/queues/queues.tsx'), 'Queues'),
})

const workers = createRoute({
  getParentRoute: under,
  path: '/workers',
  component: lazyRouteComponent(() => import('./views/workers/workers.tsx'), 'Workers'),
})

const deadLetters = createRoute({
  getParentRoute: under,
  path: '/dead-letters',
  validateSearch: (search: Search): { definition?: string | undefined; code?: string | undefined } => ({
    definition: textOf(search, 'definition'),
    code: textOf(search, 'code'),
  }),
  component: lazyRouteComponent(() => import('./views/dead-letters/dead-letters.tsx'), 'DeadLetters'),
})

const definitions = createRoute({
  getParentRoute: under,
  path: '/definitions',
  component: lazyRouteComponent(() => import('./views/definitions/definitions.tsx'), 'Definitions'),
})

const startJob = createRoute({
  getParentRoute: under,
  path: '/definitions/$key/$version',
  component: lazyRouteComponent(() => import('./views/definitions/start-job.tsx'), 'StartJob'),
})

const schedules = createRoute({
  getParentRoute: under,
  path: '/schedules',
  validateSearch: (search: Search): { make?: string | undefined } => ({ make: textOf(search, 'make') }),
  component: lazyRouteComponent(() => import('./views/schedules/schedules.tsx'), 'Schedules'),
})

const schedule = createRoute({
  getParentRoute: under,
  path: '/schedules/$scheduleId',
  component: lazyRouteComponent(() => import('./views/schedules/schedule.tsx'), 'ScheduleView'),
})

const videos = createRoute({
  getParentRoute: under,
  path: '/videos',
  component: lazyRouteComponent(() => import('./views/videos/videos.tsx'), 'Videos'),
})

const video = createRoute({
  getParentRoute: under,
  path: '/videos/$jobId',
  component: lazyRouteComponent(() => import('./views/videos/video.tsx'), 'VideoView'),
})

const webhooks = createRoute({
  getParentRoute: under,
  path: '/webhooks',
  component: lazyRouteComponent(() => import('./views/webhooks/webhooks.tsx'), 'Webhooks'),
})

const webhook = createRoute({
  getParentRoute: under,
  path: '/webhooks/$webhookId',
  component: lazyRouteComponent(() => import('./views/webhooks/webhook.tsx'), 'WebhookView'),
})

const keys = createRoute({
  getParentRoute: under,
  path: '/keys',
  component: lazyRouteComponent(() => import('./views/keys/keys.tsx'), 'Keys'),
})

const routes = root.addChildren([
  overview,
  jobs,
  job,
  deadLetters,
  definitions,
  startJob,
  schedules,
  schedule,
  queues,
  workers,
  videos,
  video,
  webhooks,
  webhook,
  keys,
])

export const router = createRouter({
  routeTree: routes,
  parseSearch,
  stringifySearch,
  defaultPreload: 'intent',
  defaultPendingComponent: Pending,
  defaultErrorComponent: Broken,
  defaultPendingMs: 200,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}

function Pending() {
  return (
    <div className="page">
      <Skeleton rows={6} />
    </div>
  )
}

function Broken({ error, reset }: ErrorComponentProps) {
  return (
    <div className="page">
      <Failure error={error} retry={reset} />
    </div>
  )
}

function NotFound() {
  return (
    <Page title="Nothing here">
      <Empty icon="search" title="There is no such view." action={<Link to="/">To the overview</Link>} />
    </Page>
  )
}
