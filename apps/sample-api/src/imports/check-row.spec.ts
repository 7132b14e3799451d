import { checkRow } from './check-row.js';
import type { ImportLayout } from './import.payload.js';

const layout: ImportLayout = { delimiter: ',', newline: '\n', cells: 3, name: 0, email: 1, amount: 2 };

const check = (...cells: string[]) => checkRow(cells, layout);

describe('checkRow', () => {
  it.each([
    ['0', 0],
    ['-0', 0],
    ['5', 500],
    ['+5', 500],
    ['0.1', 10],
    ['19.99', 1999],
    ['-0.01', -1],
    ['1.10', 110],
    ['99999999.99', 9_999_999_999],
    [' 7.5 ', 750],
  ])('reads the amount %j in cents', (amount, cents) => {
    expect(check('Ada', 'ada@example.com', amount)).toEqual({ cents });
  });

  it.each(['', 'many', '1,5', '1e3', '0x10', '.5', '1.', '1.999', '100000000', 'NaN', 'Infinity', '1 000'])(
    'rejects the amount %j',
    (amount) => {
      const reason = `amount ${JSON.stringify(amount)} is not a number like 1234.56`;
      expect(check('Ada', 'ada@example.com', amount)).toEqual({ reason });
    },
  );

  it.each(['', 'ada', 'ada@', '@example.com', 'ada@example', 'a b@example.com', 'a@b@example.com', 'ada@example.'])(
    'rejects the email %j',
    (email) => {
      expect(check('Ada', email, '1')).toEqual({ reason: `email ${JSON.stringify(email)} is not an address` });
    },
  );

  it('says all that is wrong with a row, and quotes no more than a little', () => {
    const { reason } = check(' ', 'x'.repeat(10_000), 'y'.repeat(10_000)) as { reason: string };
    expect(reason).toMatch(/^name is empty; email "x{40}…" is not an address; amount "y{40}…" is not a number/);
    expect(check('n'.repeat(201), 'a@b.c', '1')).toEqual({ reason: 'name is longer than 200 characters' });
  });

  it('rejects a row with too few or too many cells', () => {
    expect(check('Ada', 'ada@example.com')).toEqual({ reason: 'has 2 cells, but the header has 3' });
    expect(check('Ada', 'ada@example.com', '1', '')).toEqual({ reason: 'has 4 cells, but the header has 3' });
  });

  it('finds the columns wherever they are', () => {
    const other: ImportLayout = { ...layout, cells: 5, amount: 0, name: 2, email: 4 };
    expect(checkRow(['1.5', '', 'Ada', '', 'ada@example.com'], other)).toEqual({ cents: 150 });
  });
});
