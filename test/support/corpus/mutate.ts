/** Files as they come out of broken uploads, broken disks and the hands of attackers. */
import { dice } from '../dice.ts'

/** The same for the same seed: every third is cut off, of the others some bytes are changed. */
export function mutate(bytes: Uint8Array, seed: number): Uint8Array {
  const roll = dice(seed)
  const below = (bound: number) => Math.floor(roll() * bound)
  if (seed % 3 === 0) return bytes.subarray(0, below(bytes.length))
  const copy = Uint8Array.from(bytes)
  // Half of them in the headers, where a byte does the most.
  const reach = roll() < 0.5 ? Math.min(bytes.length, 1024) : bytes.length
  const changes = 1 + below(20)
  for (let change = 0; change < changes; change++) copy[below(reach)] = below(256)
  return copy
}
