process.stdout.write('\0end of run 1\0'); process.stderr.write('\0end of run 1\0')
setImmediate(()=>console.log('next'))
queueMicrotask(()=>{})
Promise.resolve().then(()=>{const t=Date.now(); while(Date.now()-t<900){} })
