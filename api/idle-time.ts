/**
 * How long a connection may be silent. Bun cuts off one that is, also with a request under way, after 255 s at most; so
 * nothing of ours is silent for longer than 240 s: no wait, and no heartbeat of a stream (STREAM_HEARTBEAT_SECONDS).
 */
export const idleSeconds = 255
export const longestSilenceSeconds = 240
