const c=Bun.spawn([process.execPath,'c.ts'],{stdout:'pipe',stderr:'pipe'}); const t=Date.now()
for await (const x of c.stdout) console.log(Date.now()-t, JSON.stringify(new TextDecoder().decode(x)))
