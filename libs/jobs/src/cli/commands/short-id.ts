/** Characters of a process's id that tables show; the commands take them in its place. @internal */
export const SHORT_ID = 8;
