/** Whether two encodes look and sound alike. */
import { testFfmpeg } from './clips.ts'

/** Structural similarity of the pictures, in order, whatever their times: 1 when they are the same. */
export async function similarity(path: string, other: string): Promise<number> {
  return mean(await similarities(path, other))
}

/** Of each picture. */
export async function similarities(path: string, other: string): Promise<number[]> {
  const byOrder = 'setpts=N/25/TB'
  const graph = `[0:v]${byOrder}[a];[1:v]${byOrder}[b];[a][b]ssim=stats_file=-`
  const output = await testFfmpeg(['-i', path, '-i', other, '-lavfi', graph, '-f', 'null', '-'])
  const values = [...output.toString().matchAll(/All:([\d.]+)/g)].map(([, value]) => Number(value))
  if (values.length === 0) throw new Error('FFmpeg has compared no pictures')
  return values
}

export function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** All samples of the first sound. */
export async function soundOf(path: string): Promise<Buffer> {
  return await testFfmpeg(['-i', path, '-map', '0:a:0', '-f', 's16le', 'pipe:1'])
}
