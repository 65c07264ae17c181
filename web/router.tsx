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

const routes = root.addChildren([overview, jobs, job, queues, workers])

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
