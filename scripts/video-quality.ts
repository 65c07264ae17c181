/** How near an encoded video is to its source: measures and contents, for benches and tests. */

/** Sources of FFmpeg's `lavfi` that are hard for an encoder, each in another way. */
export function contents(size: string, seconds: number): Record<string, string> {
  const how = `size=${size}:rate=25`
  return {
    'moving graphics': `testsrc2=${how}:duration=${seconds}`,
    'fine detail': `mandelbrot=${how}:start_scale=0.3:end_scale=0.03:end_pts=${seconds * 25},trim=duration=${seconds}`,
    'film grain': `testsrc=${how}:duration=${seconds},boxblur=8,noise=alls=12:allf=t`,
    'a dark gradient': `nullsrc=${how}:duration=${seconds},geq=lum='20+50*X/W+6*sin(N/8+Y/30)':cb=128:cr=128`,
  }
}

export interface Quality {
  /** 0 to 1, over luma and chroma. */
  ssim: number
  /** Decibels, over luma and chroma. */
  psnr: number
  /** 0 to 100; null where FFmpeg has no libvmaf, or no model for it. */
  vmaf: number | null
}

/** Compares picture by picture, in order; the reference is scaled to the size of what is judged. @throws Error */
export async function qualityOf(ffmpeg: string, encoded: string, reference: string): Promise<Quality> {
  const said = await compare(
    ffmpeg,
    encoded,
    reference,
    '[a]split[c][d];[b]split[e][f];[c][e]ssim[x];[d][f]psnr[y]',
  )
  const [ssim, psnr] = [/SSIM .*All:([\d.]+)/, /PSNR .*average:([\d.]+|inf)/].map(
    (pattern) => pattern.exec(said)?.[1],
  )
  if (ssim === undefined || psnr === undefined)
    throw new Error(`FFmpeg measured nothing: ${said.slice(-1000)}`)
  const judged = await compare(ffmpeg, encoded, reference, '[a][b]libvmaf[x]').catch(() => '')
  const vmaf = /VMAF score[:=] *([\d.]+)/.exec(judged)?.[1]
  return {
    ssim: Number(ssim),
    psnr: psnr === 'inf' ? Number.POSITIVE_INFINITY : Number(psnr),
    vmaf: vmaf === undefined ? null : Number(vmaf),
  }
}

async function compare(ffmpeg: string, encoded: string, reference: string, measure: string): Promise<string> {
  // By number, not by time: containers round times.
  const inStep = 'settb=1/25,setpts=N,format=yuv420p'
  const graph = `[1:v][0:v]scale2ref[r][s];[s]${inStep}[a];[r]${inStep}[b];${measure}`
  const outputs = measure.includes('[y]') ? ['-map', '[x]', '-map', '[y]'] : ['-map', '[x]']
  const command = [
    ffmpeg,
    '-hide_banner',
    '-nostdin',
    '-i',
    encoded,
    '-i',
    reference,
    '-filter_complex',
    graph,
  ]
  const child = Bun.spawn([...command, ...outputs, '-f', 'null', '-'], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
  })
  const said = await new Response(child.stderr).text()
  if ((await child.exited) !== 0) throw new Error(`FFmpeg ended with ${child.exitCode}: ${said.slice(-1000)}`)
  return said
}
