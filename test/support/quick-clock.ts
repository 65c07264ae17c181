/** Preloaded into a program: the time that it sleeps for has passed at once, by its own clock too. */
export {}

const now = performance.now.bind(performance)
let sleptMs = 0

performance.now = () => now() + sleptMs
Bun.sleep = async (ms) => {
  sleptMs += Number(ms)
}
