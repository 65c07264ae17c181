/** What JSON can carry: parameters, results, progress and event payloads are of this type. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }
