export type InputProblemCode =
  | 'FILE_EMPTY'
  | 'FILE_MISSING'
  | 'CSV_INVALID'
  | 'ENCODING_INVALID'
  | 'COLUMN_UNKNOWN'
  | 'COLUMN_EMPTY'
  | 'VALUE_NOT_NUMERIC'
  | 'VALUE_TOO_LARGE'
  | 'TOO_MANY_GROUPS';

/** Something is wrong with what was sent, so trying again cannot help. The message is for the person who sent it. */
export class InputProblem extends Error {
  override readonly name = 'InputProblem';

  constructor(
    readonly code: InputProblemCode,
    message: string,
  ) {
    super(message);
  }
}
