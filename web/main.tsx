/** Entry of the dashboard. */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { ApiProblem } from './api.ts'
import { loadFonts } from './fonts.ts'
import { router } from './router.tsx'

const tries = 2

const queries = new QueryClient({
  defaultOptions: {
    queries: {
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
