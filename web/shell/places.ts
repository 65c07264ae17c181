/** Where one can go: for the navigation, the keyboard and the help. */
import type { IconName } from '../ui/icons.tsx'

export interface Place {
  path: '/' | '/jobs' | '/queues' | '/workers'
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
    ],
  },
  {
    name: 'Run',
    places: [
      { path: '/queues', name: 'Queues', icon: 'queues', letter: 'q' },
      { path: '/workers', name: 'Workers', icon: 'workers', letter: 'w' },
    ],
  },
]

export const places = groups.flatMap((group) => group.places)
