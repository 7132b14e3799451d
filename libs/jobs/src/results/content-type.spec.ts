import { Readable } from 'node:stream';
import { contentOf } from '../http/result-content.js';
import type { JobStatus } from '../client/job-status.js';
import { InvalidArgumentError } from '../client/invalid-argument.error.js';
import { contentTypeOf, withContentType } from './content-type.js';
import type { StoredResults } from './stored-results.js';

const EVIL = [
  'text/csv\r\n;\r\nX-Evil: 1',
  'text/csv;\r\nX-Evil: 1',
  'text/csv\n; a=b',
  'text/csv; a=b\n',
  'text',
  'a/b/c',
];

describe('the content type of a result', () => {
  it.each(['text/csv', 'text/csv; charset=utf-8', 'text/csv;charset="utf-8"', 'image/svg+xml ; a=b'])(
    '[A5] may be %j',
    (type) => {
      expect(contentTypeOf(withContentType(Readable.from([]), type))).toBe(type);
    },
  );

  it.each(EVIL)('[A5] cannot be %j, which is no header or more than one', (type) => {
    expect(() => withContentType(Buffer.alloc(0), type)).toThrow(InvalidArgumentError);
    const resultRef = { ref: 'r', size: 0, contentType: type, sha256: '' };
    // Another process, or a version before, may have kept it.
    const { headers } = contentOf({ id: 'default_1', resultRef } as JobStatus, {} as StoredResults);
    expect(headers['Content-Type']).toBe('application/octet-stream');
  });
});
