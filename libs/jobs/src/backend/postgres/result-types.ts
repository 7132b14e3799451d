import pg, { type CustomTypesConfig } from 'pg';

const { JSON: JSON_TEXT, JSONB, INT8, NUMERIC, TEXT, BOOL, INT4 } = pg.types.builtins;

const PARSERS = new Map<number, (text: string) => unknown>([
  [TEXT, String],
  [INT8, String],
  [NUMERIC, String],
  [INT4, Number],
  [BOOL, (text) => text === 't'],
  [JSON_TEXT, JSON.parse],
  [JSONB, JSON.parse],
]);

/** How BullMQ and the ledger expect values to arrive, whatever parsers the app has set for all its statements. @internal */
export const RESULT_TYPES: CustomTypesConfig = {
  getTypeParser: ((oid: number, format: 'text' | 'binary') =>
    PARSERS.get(oid) ?? pg.types.getTypeParser(oid, format as 'text')) as CustomTypesConfig['getTypeParser'],
};
