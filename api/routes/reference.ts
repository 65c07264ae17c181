/** The API's own description: for programs at `/openapi.json`, for people at `/docs`. Made once, when first asked for. */
import { Hono } from 'hono'
import type { ApiEnv } from '../app.ts'
import { type OpenApiDocument, openApiDocument } from '../openapi/document.ts'
import { referencePage } from '../openapi/page.ts'

/** @param described gives the whole app, which is not whole yet when this is called */
export function referenceRoutes(described: () => Hono<ApiEnv>) {
  let document: OpenApiDocument | undefined
  const read = () => {
    document ??= openApiDocument(described())
    return document
  }
  return new Hono<ApiEnv>()
    .get('/openapi.json', (c) => c.json(read()))
    .get('/docs', (c) => {
      c.header(
        'content-security-policy',
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      )
      return c.html(referencePage(read()))
    })
}
