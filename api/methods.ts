/** Which methods a path takes, so that another is answered 405 with Allow (RFC 9110, 15.5.6) and not 404. */
import type { Hono } from 'hono'
import { TrieRouter } from 'hono/router/trie-router'
import type { ApiEnv } from './app.ts'

/** @param app gives the whole app, which is not whole yet when this is called */
export function methodFinder(app: () => Hono<ApiEnv>): (path: string) => string[] {
  let methods: TrieRouter<string> | undefined
  return (path) => {
    methods ??= methodsByPath(app())
    const found = new Set(methods.match('ALL', path)[0].map(([method]) => method))
    // Hono answers HEAD by the route for GET.
    if (found.has('GET')) found.add('HEAD')
    return [...found].sort()
  }
}

function methodsByPath(app: Hono<ApiEnv>): TrieRouter<string> {
  const router = new TrieRouter<string>()
  // Middleware stands for all methods.
  for (const { method, path } of app.routes) if (method !== 'ALL') router.add('ALL', path, method)
  return router
}
