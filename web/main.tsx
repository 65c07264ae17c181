/** Entry of the dashboard. */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { ApiProblem } from './api.ts'
import { loadFonts } from './fonts.ts'
import { createQueryCache } from './live/refetches.ts'
import { router } from './router.tsx'

const tries = 2

const queries = new QueryClient({
  queryCache: createQueryCache(),
  defaultOptions: {
    // What the browser calls offline says nothing about a server on this machine; and what was pressed while there is no
    // network shall fail at once, not be carried out hours later, when nobody expects it any more.
    mutations: { networkMode: 'always' },
    queries: {
      networkMode: 'always',
      // Left out, the line above would turn it off.
      refetchOnReconnect: true,
      staleTime: 2000,
      // What is wrong with the request itself is wrong the next time too.
      retry: (failures, error) =>
        failures < tries && !(error instanceof ApiProblem && error.status !== null && error.status < 500),
    },
  },
})

loadFonts()
const place = document.getElementById('app')
if (place === null) throw new Error('the page has no place for the dashboard')
createRoot(place).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
)
