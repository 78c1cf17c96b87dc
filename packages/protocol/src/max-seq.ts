/**
 * The highest number that a message may have. No chat gets there; and from far below the numbers that a double cannot tell apart
 * (2 ** 53), a client can always count on.
 */
export const maxSeq = 1_000_000_000;
