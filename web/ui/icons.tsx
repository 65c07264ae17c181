/** Small drawings in one line weight; they say nothing that the text beside them does not. */
import type { ReactNode } from 'react'

const shapes = {
  overview: <path d="M3 13V9m4 4V5m4 8V8m-8 5.5h10" />,
  jobs: <path d="M3 4h10M3 8h10M3 12h6" />,
  videos: <path d="M2.5 4.5h7v7h-7zM9.5 7l4-2v6l-4-2" />,
  schedules: <path d="M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11M8 5v3.2l2 1.3" />,
  deadLetters: <path d="M2.5 4h11v8h-11zM2.8 4.4 8 8.6l5.2-4.2" />,
  queues: <path d="M2.5 3.5h11v2.6h-11zM2.5 6.7h11v2.6h-11zM2.5 9.9h11v2.6h-11z" />,
  workers: <path d="M4.5 4.5h7v7h-7zM6.5 2.5v2m3-2v2m-3 7v2m3-2v2m-7-7h2m-2 3h2m7-3h2m-2 3h2" />,
  definitions: <path d="M5.5 3 2.5 8l3 5m5-10 3 5-3 5M9 3.5l-2 9" />,
  webhooks: (
    <path d="M6.2 6.6A2.3 2.3 0 1 1 9.8 5M8 4.8l2.6 4.6m-.2 0a2.3 2.3 0 1 1-1 3.6m-1.2-1.4H5.6m-.3-3.4a2.3 2.3 0 1 0 2.1 3.4" />
  ),
  keys: <path d="M5.5 7.5a2.7 2.7 0 1 1 0 5.4 2.7 2.7 0 0 1 0-5.4M7.5 8.4l5.3-5.3m-2.2 2.2 1.6 1.6" />,
  search: <path d="M7 2.8a4.2 4.2 0 1 1 0 8.4 4.2 4.2 0 0 1 0-8.4m3.1 7.3 3.1 3.1" />,
  close: <path d="m4 4 8 8m0-8-8 8" />,
  more: <path d="M3 8h.01M8 8h.01M13 8h.01" strokeWidth="2.4" />,
  retry: <path d="M13 8a5 5 0 1 1-1.6-3.7M13 2.6v2.6h-2.6" />,
  cancel: <path d="M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11M5.5 8h5" />,
  pause: <path d="M5.5 3.5v9m5-9v9" />,
  play: <path d="m5 3.5 7.5 4.5L5 12.5z" />,
  plus: <path d="M8 3v10M3 8h10" />,
  trash: <path d="M3 4.5h10M6.2 4.5V3h3.6v1.5M4.4 4.5l.6 8.5h6l.6-8.5" />,
  copy: <path d="M5.5 5.5h7.5V13H5.5zM3 10.5V3h7.5" />,
  check: <path d="m3.5 8.5 3 3 6-7" />,
  upload: <path d="M8 10.5V3m-3 3 3-3 3 3M3 10.5V13h10v-2.5" />,
  download: <path d="M8 3v7.5m-3-3 3 3 3-3M3 10.5V13h10v-2.5" />,
  sun: (
    <path d="M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6M8 1.5v1.5m0 10v1.5M1.5 8H3m10 0h1.5M3.4 3.4l1 1m7.2 7.2 1 1m0-9.2-1 1m-7.2 7.2-1 1" />
  ),
  moon: <path d="M13 9.5A5.3 5.3 0 0 1 6.5 3a5.3 5.3 0 1 0 6.5 6.5" />,
  system: <path d="M2.5 3.5h11v7h-11zM6 13h4" />,
  help: (
    <path d="M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11M6.5 6.5a1.5 1.5 0 1 1 2.2 1.4c-.5.3-.7.6-.7 1.1m0 1.8v.1" />
  ),
  signOut: <path d="M9.5 3H3.5v10h6M7 8h6.5m-2.2-2.3L13.5 8l-2.2 2.3" />,
  chevron: <path d="m6 3.5 4.5 4.5L6 12.5" />,
  arrowUp: <path d="M8 13V3.5M4 7.3 8 3.3l4 4" />,
} satisfies Record<string, ReactNode>

export type IconName = keyof typeof shapes

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      {shapes[name]}
    </svg>
  )
}
