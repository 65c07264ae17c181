/** Jobs that do nothing, a second, when they stand in many queues that one worker serves, against all in one. */
import { type Bench, type BenchContext, interleave } from './bench.ts'
import { compare } from './measurement.ts'
import { shortJobRate } from './short-jobs.ts'

const jobs = 20_000

export const queuesBench: Bench = {
  name: 'queues',
  about: 'jobs that do nothing, spread over 1, 4, 16 and 64 queues of one worker',
  defaultRounds: 3,
  async run(context) {
    const rates = await interleave(
      context,
      {
        one: () => rateOver(context, 1),
        four: () => rateOver(context, 4),
        sixteen: () => rateOver(context, 16),
        sixtyFour: () => rateOver(context, 64),
      },
      { what: 'queues', warmUp: false },
    )
    const against = (count: number, values: number[]) =>
      compare(
        { name: `empty jobs in ${count} queues`, unit: 'jobs/s', better: 'about 1' },
        { label: `${count} queues`, values },
        { label: 'one queue', values: rates.one },
      )
    return [against(4, rates.four), against(16, rates.sixteen), against(64, rates.sixtyFour)]
  },
}

async function rateOver({ stack }: BenchContext, count: number): Promise<number> {
  const queues = Array.from({ length: count }, (_, place) => `bench-${place}`)
  return await stack.withDatabase((database) => shortJobRate(database, { jobs, queues }))
}
