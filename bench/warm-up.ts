/** Jobs on top of those of a round: they are worked off before it counts. */
export function warmUpOf(jobs: number): number {
  return Math.ceil(jobs / 5)
}
