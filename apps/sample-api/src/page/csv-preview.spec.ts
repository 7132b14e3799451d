import { previewOf } from './browser/csv-preview.js';

describe('previewOf', () => {
  it.each([
    ['commas', 'city,amount\nOslo,10\nBergen,2.5\n'],
    ['semicolons, and commas in values', 'city;amount\nOslo, Norway;10\n'],
    ['tabs', 'city\tamount\r\nOslo\t10\r\n'],
    ['quotes', '"city","amount"\n"Os\nlo, ""O""","10"\n'],
    ['blank lines and spaces', '\n city , amount \n\nOslo, 10 \n'],
    ['a last line without its end', 'city,amount\nOslo,10'],
    ['the line ends of old Macs', 'city,amount\rOslo,1e3\r'],
    ['empty values', 'city,amount\n,10\n,\n'],
  ])('finds the columns, and which are numbers, with %s', (_what, text) => {
    expect(previewOf(text)).toEqual({ columns: ['city', 'amount'], numeric: ['amount'] });
  });

  it('takes no column without a value for one of numbers', () => {
    expect(previewOf('a,b\n1,\n2,\n')).toEqual({ columns: ['a', 'b'], numeric: ['a'] });
  });

  it('names each column once, and none that has no name', () => {
    expect(previewOf('a,,a,b\n1,2,3,x\n').columns).toEqual(['a', 'b']);
  });

  it('leaves the half line at the end of a part of a file alone', () => {
    expect(previewOf('a,b\n1,2\n3,-', true).numeric).toEqual(['a', 'b']);
    expect(previewOf('a,b\n1,2\n3,-').numeric).toEqual(['a']);
    expect(previewOf('a,b', true).columns).toEqual(['a', 'b']);
  });

  it('finds nothing in nothing', () => {
    expect(previewOf('')).toEqual({ columns: [], numeric: [] });
    expect(previewOf(' \n\n')).toEqual({ columns: [], numeric: [] });
  });
});
