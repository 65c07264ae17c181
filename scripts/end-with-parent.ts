/** Preloaded into the processes of the stack: whoever loses its parent ends as if asked to. */
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
// Listening alone must not keep a process alive that is done.
process.channel?.unref()
