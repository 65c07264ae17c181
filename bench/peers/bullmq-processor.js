/** What BullMQ's sandbox runs for each job; not TypeScript, because it loads it as it lies there. */
export default async () => {}
