/** Preloaded into the processes of the stack: whoever loses its parent ends as if asked to. */
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
