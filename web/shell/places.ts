/** Where one can go: for the navigation, the keyboard and the help. */
import type { IconName } from '../ui/icons.tsx'

export interface Place {
  path:
    | '/'
    | '/jobs'
    | '/videos'
    | '/dead-letters'
    | '/definitions'
    | '/schedules'
    | '/queues'
    | '/workers'
    | '/webhooks'
    | '/keys'
  name: string
  icon: IconName
  /** After `g`. */
  letter: string
}

export const groups: { name: string; places: Place[] }[] = [
  {
    name: 'Watch',
    places: [
      { path: '/', name: 'Overview', icon: 'overview', letter: 'o' },
      { path: '/jobs', name: 'Jobs', icon: 'jobs', letter: 'j' },
      { path: '/videos', name: 'Videos', icon: 'videos', letter: 'v' },
      { path: '/dead-letters', name: 'Dead letters', icon: 'deadLetters', letter: 'd' },
    ],
  },
  {
    name: 'Run',
    places: [
      { path: '/definitions', name: 'Definitions', icon: 'definitions', letter: 'f' },
      { path: '/schedules', name: 'Schedules', icon: 'schedules', letter: 's' },
      { path: '/queues', name: 'Queues', icon: 'queues', letter: 'q' },
      { path: '/workers', name: 'Workers', icon: 'workers', letter: 'w' },
    ],
  },
  {
    name: 'Connect',
    places: [
      { path: '/webhooks', name: 'Webhooks', icon: 'webhooks', letter: 'h' },
      { path: '/keys', name: 'Keys', icon: 'keys', letter: 'k' },
    ],
  },
]

export const places = groups.flatMap((group) => group.places)
